import type { JwtRuleConfig } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import type { JWTPayload } from 'jose';
import { isIn, readAddress, readNetwork, type Network } from '../addresses/address.js';
import { byteString } from '../words/byte-string.js';
import { matchesWildcard } from '../words/wildcard.js';

const MAX_ITEMS = 1_000;
const MAX_USER = 256;
const MAX_SESSIONS = 250;

/** What a good token says. Who it is for is compared for each check, also when the token is known. */
export interface Claims {
  readonly user?: string;
  readonly maxSessions?: number;
  /** Patterns; undefined: any channel. */
  readonly channels?: readonly string[];
  /** Undefined: any address. */
  readonly networks?: readonly Network[];
  /** Cluster time, ms; undefined: no end. */
  readonly until?: number;
}

const scratch = new Uint32Array(4);

/** Reads what counts of a verified payload. A claim that is wanted and missing, or strange, is good for nothing. */
export function readClaims(payload: JWTPayload, config: Pick<JwtRuleConfig, 'claims' | 'leeway'>): Claims {
  const { claims, leeway } = config;
  const user = userOf(payload[claims.user]);
  const sessions = payload[claims.sessions];
  return {
    ...(user === undefined ? {} : { user }),
    ...(isSessions(sessions) ? { maxSessions: sessions } : {}),
    ...(claims.channels === undefined ? {} : { channels: textsOf(payload[claims.channels]).map(byteString) }),
    ...(claims.ip === undefined
      ? {}
      : { networks: textsOf(payload[claims.ip]).flatMap((text) => readNetwork(text) ?? []) }),
    ...(payload.exp === undefined ? {} : { until: payload.exp * 1000 + leeway }),
  };
}

export function isForChannel({ channels }: Claims, { channel, path }: RuleInput): boolean {
  const name = channel === '' ? path : channel;
  return channels === undefined || channels.some((pattern) => matchesWildcard(pattern, name));
}

export function isForAddress({ networks }: Claims, { ip }: RuleInput): boolean {
  if (networks === undefined) return true;
  const family = readAddress(ip, scratch);
  return networks.some((network) => isIn(network, family, scratch));
}

function userOf(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const user = byteString(String(value));
  return user === '' || user.length > MAX_USER ? undefined : user;
}

const isSessions = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_SESSIONS;

function textsOf(value: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value.slice(0, MAX_ITEMS) : [value];
  return values.filter((one) => typeof one === 'string');
}
