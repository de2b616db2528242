import type { JwtRuleConfig } from '#usher/config';
import type { Clock, RuleInput, RuleOutcome } from '#usher/domain';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyOptions } from 'jose';
import { inTime } from '../in-time.js';
import { Recent } from '../recent.js';
import { allow, deny, PASS, type CredentialRule } from '../rule.js';
import type { SecretDigest } from '../secret-digest.js';
import { Turns } from '../turns.js';
import { MAX_TOKEN, shownTokens } from '../words/shown-tokens.js';
import { isForAddress, isForChannel, readClaims, type Claims } from './claims.js';
import type { KeySet } from './key-set.js';
import type { KeySource } from './key-source.js';

const RULE = 'jwt';
const BAD = deny(RULE, 'rule-token-denied');
const EXPIRED = deny(RULE, 'rule-token-expired');
const EARLY = deny(RULE, 'rule-token-early');
const OTHER_CHANNEL = deny(RULE, 'rule-token-channel');
const OTHER_ADDRESS = deny(RULE, 'rule-token-address');
const NO_KEYS = deny(RULE, 'rule-keys-missing');
const BUSY = deny(RULE, 'rule-busy');

/** Three parts in base64url, the last one perhaps empty: then it is refused, and not passed on. */
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;
/** A check waits so long for keys at most, ms: the rest of its time is for others. */
const WAIT_MS = 800;
/** Good tokens that are known, and for how long without being shown, ms. */
const KNOWN = { max: 20_000, ttl: 600_000 };
/** Signatures that are verified at once, on threads that others need too, and those that wait: some tenths of a second. */
const AT_ONCE = 4;
const WAITING = 1_000;
/** Keys that fit a token which does not name its key. */
const MAX_TRIED = 8;

export interface JwtRuleParts {
  readonly config: JwtRuleConfig;
  readonly keys: KeySource;
  readonly clock: Clock;
  readonly digest: SecretDigest;
  readonly turns?: Turns;
}

/** JSON Web Tokens. Another kind of token is passed on. */
export class JwtRule implements CredentialRule {
  readonly name = RULE;
  readonly #known: Recent<Claims>;
  readonly #turns: Turns;
  /** Those that the known tokens were good with. */
  #keys: KeySet | undefined;

  constructor(private readonly parts: JwtRuleParts) {
    this.#known = new Recent(parts.clock, KNOWN.max, KNOWN.ttl);
    this.#turns = parts.turns ?? new Turns(AT_ONCE, WAITING);
  }

  judge(asked: RuleInput): RuleOutcome | Promise<RuleOutcome> {
    for (const token of shownTokens(asked, this.parts.config.parameter)) {
      if (FORM.test(token)) return token.length > MAX_TOKEN ? BAD : this.#judge(token, asked);
    }
    return PASS;
  }

  #judge(token: string, asked: RuleInput): RuleOutcome | Promise<RuleOutcome> {
    const { keys, digest } = this.parts;
    if (keys.current !== this.#keys) {
      this.#known.clear();
      this.#keys = keys.current;
    }
    const key = digest.of(token);
    const claims = this.#known.get(key);
    if (claims !== undefined) return this.#outcome(claims, asked);
    return this.#verified(token).then((found) => {
      if ('kind' in found) return found;
      if (keys.current === this.#keys) this.#known.set(key, found);
      return this.#outcome(found, asked);
    });
  }

  /** Whom a good token is for, and until when, counts each time. */
  #outcome(claims: Claims, asked: RuleInput): RuleOutcome {
    const { user, maxSessions, until } = claims;
    if (until !== undefined && this.parts.clock.now() >= until) return EXPIRED;
    if (!isForChannel(claims, asked)) return OTHER_CHANNEL;
    if (!isForAddress(claims, asked)) return OTHER_ADDRESS;
    return allow(RULE, {
      ...(user === undefined ? {} : { user, sessionName: user }),
      ...(maxSessions === undefined ? {} : { maxSessions }),
      ...(until === undefined ? {} : { until }),
    });
  }

  async #verified(token: string): Promise<Claims | typeof BAD> {
    const { keys } = this.parts;
    if (keys.current === undefined) await inTime(keys.look(), WAIT_MS, false);
    const first = await this.#verifiedWith(keys.current, token);
    if (first !== 'no key') return first;
    // Perhaps it is a new one. Whoever makes keys up causes one fetch in a while, and no more.
    const isNow = await inTime(keys.look(), WAIT_MS, false);
    const second = await this.#verifiedWith(keys.current, token);
    return second === 'no key' ? (isNow ? BAD : NO_KEYS) : second;
  }

  async #verifiedWith(keys: KeySet | undefined, token: string): Promise<Claims | typeof BAD | 'no key'> {
    if (keys === undefined) return NO_KEYS;
    return this.#turns.isFull ? BUSY : this.#turns.run(() => this.#verifiedNow(keys, token));
  }

  async #verifiedNow(keys: KeySet, token: string): Promise<Claims | typeof BAD | 'no key'> {
    try {
      const payload =
        keys.kind === 'secret' ? await this.#bySecret(keys, token) : await this.#byPublicKey(keys, token);
      return readClaims(payload, this.parts.config);
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'no key';
      if (error instanceof errors.JWTExpired) return EXPIRED;
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') return EARLY;
      // Whatever else is wrong with a token is the token's fault: keys were checked when they were read.
      return BAD;
    }
  }

  async #byPublicKey(keys: KeySet & { kind: 'public' }, token: string): Promise<JWTPayload> {
    try {
      return (await jwtVerify(token, keys.find, this.#options())).payload;
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return this.#byAnyOf(error, token);
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return this.#byAnyOf(keys.unnamed, token, error);
    }
  }

  async #bySecret({ secrets }: KeySet & { kind: 'secret' }, token: string): Promise<JWTPayload> {
    return this.#byAnyOf(secrets, token);
  }

  /** By the first that its signature is of; none: throws `otherwise`. */
  async #byAnyOf(
    keys: Iterable<SomeKey> | AsyncIterable<SomeKey>,
    token: string,
    otherwise: Error = new errors.JWSSignatureVerificationFailed(),
  ): Promise<JWTPayload> {
    let tried = 0;
    for await (const key of keys) {
      tried += 1;
      if (tried > MAX_TRIED) break;
      try {
        return (await jwtVerify(token, key, this.#options())).payload;
      } catch (error) {
        // A TypeError: a key of another kind than the algorithm's.
        const isOther = error instanceof errors.JWSSignatureVerificationFailed || error instanceof TypeError;
        if (!isOther) throw error;
      }
    }
    throw otherwise;
  }

  #options(): JWTVerifyOptions {
    const { algorithms, issuer, audience, leeway, requireExp } = this.parts.config;
    return {
      algorithms,
      clockTolerance: leeway / 1000,
      currentDate: new Date(this.parts.clock.now()),
      ...(issuer === undefined ? {} : { issuer }),
      ...(audience === undefined ? {} : { audience }),
      ...(requireExp ? { requiredClaims: ['exp'] } : {}),
    };
  }
}

type SomeKey = Exclude<Parameters<typeof jwtVerify>[1], (...args: never[]) => unknown>;
