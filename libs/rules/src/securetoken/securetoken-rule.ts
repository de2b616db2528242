import type { SecuretokenRuleConfig } from '#usher/config';
import type { Clock, RuleInput, RuleOutcome } from '#usher/domain';
import { readAddress } from '../addresses/address.js';
import { allow, deny, PASS, type CredentialRule } from '../rule.js';
import { byteString } from '../words/byte-string.js';
import { MAX_TOKEN, shownTokens } from '../words/shown-tokens.js';
import { isHmacToken, looksLikeHmacToken, readHmacToken } from './hmac-token.js';
import { hasWholeTimes, isSha1Token, readSha1Token } from './sha1-token.js';

const RULE = 'securetoken';
const BAD = deny(RULE, 'rule-token-denied');
const EXPIRED = deny(RULE, 'rule-token-expired');
const EARLY = deny(RULE, 'rule-token-early');

/** A token of one of the flavours, read. */
interface Read {
  readonly start: string;
  readonly end: string;
  readonly user?: string;
  isFor(subject: string, ip: string, secret: string): boolean;
}

const scratch = new Uint32Array(4);

/** Tokens that whoever has the secret made, with start and end. Other kinds of token are passed on. */
export class SecuretokenRule implements CredentialRule {
  readonly name = RULE;
  readonly #secrets: readonly string[];

  constructor(
    private readonly config: SecuretokenRuleConfig,
    private readonly clock: Clock,
  ) {
    this.#secrets = config.secrets.map(byteString);
  }

  judge(asked: RuleInput): RuleOutcome {
    for (const text of shownTokens(asked, this.config.parameter)) {
      const read = text.length > MAX_TOKEN ? undefined : this.#read(text);
      if (read !== undefined) return read === 'bad' ? BAD : this.#judge(read, asked);
    }
    return PASS;
  }

  /** Undefined: another kind of token. */
  #read(text: string): Read | 'bad' | undefined {
    if (this.config.flavour === 'hmac') {
      if (!looksLikeHmacToken(text)) return undefined;
      const token = readHmacToken(text);
      if (token === undefined) return 'bad';
      return {
        start: token.start,
        end: token.end,
        ...(token.user === '' ? {} : { user: token.user }),
        isFor: (subject, ip, secret) => isHmacToken(token, subject, ip, secret),
      };
    }
    const token = readSha1Token(text);
    if (token === undefined) return undefined;
    if (!hasWholeTimes(token)) return 'bad';
    return {
      start: token.start,
      end: token.end,
      isFor: (subject, ip, secret) => isSha1Token(token, subject, ip, secret),
    };
  }

  #judge(token: Read, asked: RuleInput): RuleOutcome {
    const { flavour, leeway } = this.config;
    const subject = flavour === 'alta' || asked.channel === '' ? asked.path : asked.channel;
    const addresses = this.#addresses(asked.ip);
    const isOurs = this.#secrets.some((secret) => addresses.some((ip) => token.isFor(subject, ip, secret)));
    if (!isOurs) return BAD;
    const now = this.clock.now();
    const until = Number(token.end) * 1000 + leeway;
    if (now >= until) return EXPIRED;
    if (now < Number(token.start) * 1000 - leeway) return EARLY;
    return allow(RULE, {
      until,
      ...(token.user === undefined ? {} : { user: token.user, sessionName: token.user }),
    });
  }

  /** What a token for this viewer may have been made with: his address may be written in several ways. */
  #addresses(ip: string): readonly string[] {
    if (this.config.ip === 'ignored') return [''];
    const written = [ip, ...otherSpellings(ip)];
    return this.config.ip === 'optional' ? [...written, ''] : written;
  }
}

/** An IPv4-mapped address as IPv4, and an IPv6 address at its shortest. */
function otherSpellings(ip: string): readonly string[] {
  if (!ip.includes(':')) return [];
  const family = readAddress(ip, scratch);
  if (family === 0) return [];
  const plain =
    family === 4
      ? [24, 16, 8, 0].map((shift) => (scratch[0]! >>> shift) & 255).join('.')
      : new URL(`http://[${ip.split('%')[0]!}]`).hostname.slice(1, -1);
  return plain === ip ? [] : [plain];
}
