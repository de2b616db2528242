import type { Config } from '#usher/config';
import type { CheckContext } from '#usher/decisions';
import {
  credentialKeyOf,
  digest,
  networkOf,
  queryParameter,
  viewerKeyOf,
  type Decision,
  type ReasonCode,
} from '#usher/domain';

const TEN_MINUTES = 600_000;
const HOUR = 3_600_000;

/** What is counted, and of whom. */
export interface Measure {
  readonly name: keyof Omit<Config['protection'], 'mode' | 'holdFor' | 'usersPerAddress'>;
  readonly of: 'address' | 'credential' | 'user';
  /** Milliseconds. */
  readonly window: number;
  /** For people, after the number. */
  readonly what: string;
}

const measure = (name: Measure['name'], of: Measure['of'], window: number, what: string): Measure => ({
  name,
  of,
  window,
  what,
});

export const MEASURES = {
  deniedTokens: measure('deniedTokens', 'address', TEN_MINUTES, 'different tokens refused within 10 min'),
  deniedDevices: measure('deniedDevices', 'address', TEN_MINUTES, 'different devices refused within 10 min'),
  deniedAttempts: measure('deniedAttempts', 'credential', TEN_MINUTES, 'refusals within 10 min'),
  networksPerToken: measure('networksPerToken', 'credential', HOUR, 'networks within an hour'),
  networksPerUser: measure('networksPerUser', 'user', HOUR, 'networks within an hour'),
  devicesPerUser: measure('devicesPerUser', 'user', HOUR, 'devices within an hour'),
  channelsPerUser: measure('channelsPerUser', 'user', HOUR, 'channels within an hour'),
} as const;

/** One thing that was seen of somebody. */
export interface Observation {
  readonly measure: Measure;
  readonly subject: string;
  readonly thing: string;
}

/** What counts as one address: of IPv6 the /64, in which one viewer has as many addresses as he likes. */
export const addressOf = (ip: string): string => networkOf(ip);

/** Of IPv4 the /24: a mobile viewer has one address of his carrier's pool after the other. */
const wideNetworkOf = (ip: string): string => networkOf(ip).replace(/^(\d+\.\d+\.\d+)\.\d+$/, '$1.0/24');

/**
 * The credential is his alone, as far as can be told: a parameter that is configured, a login, or what is called a token. Of a
 * query without any (`?lang=de`) the same is everybody's.
 */
export function isHis({ check: { query }, credential }: CheckContext): boolean {
  return credential !== '' && (credential !== query || !!queryParameter(query, 'token'));
}

/** Refused for what the viewer showed, not for who he is, nor because nobody could be asked. */
const DENIED: ReadonlySet<ReasonCode> = new Set([
  'backend-denied',
  'backend-redirected',
  'group-denied',
  'rule-token-denied',
  'rule-token-channel',
  'rule-token-address',
  'rule-login-denied',
]);

/** What a check that was not answered from memory shows. `namespace` is that of the named user. */
export function observations(context: CheckContext, decision: Decision, namespace: string): Observation[] {
  const { check, identity, credential } = context;
  const address = addressOf(check.ip);
  if (!decision.allow) {
    if (!DENIED.has(decision.reason)) return [];
    const token = credentialKeyOf(credential);
    const seen: Observation[] = [{ measure: MEASURES.deniedTokens, subject: address, thing: token }];
    if (isHis(context)) seen.push({ measure: MEASURES.deniedAttempts, subject: token, thing: check.id });
    const isNamed = viewerKeyOf(check, undefined) !== identity.viewerKey;
    if (isNamed) seen.push({ measure: MEASURES.deniedDevices, subject: address, thing: identity.viewerKey });
    return seen;
  }
  if (decision.because !== undefined || decision.source === 'hold') return [];
  const network = digest('network', wideNetworkOf(check.ip));
  const seen: Observation[] = [];
  // Where a rule decides, or everybody may watch, the credential was not what let him in.
  if (isHis(context) && decision.source !== 'rule') {
    seen.push({ measure: MEASURES.networksPerToken, subject: credentialKeyOf(credential), thing: network });
  }
  const { user = '' } = decision;
  if (user === '') return seen;
  const subject = `${namespace}/${user}`;
  seen.push(
    { measure: MEASURES.networksPerUser, subject, thing: network },
    { measure: MEASURES.devicesPerUser, subject, thing: identity.viewerKey },
    { measure: MEASURES.channelsPerUser, subject, thing: digest('channel', check.channel || check.path) },
  );
  return seen;
}
