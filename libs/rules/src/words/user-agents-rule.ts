import type { UserAgentsRuleConfig } from '#usher/config';
import type { RuleInput } from '#usher/domain';
import { deny, PASS, type Filter, type Verdict } from '../rule.js';
import { byteString } from './byte-string.js';
import { hasWildcard, matchesWildcard } from './wildcard.js';

const RULE = 'userAgents';
const REFUSED = deny(RULE, 'rule-agent-denied');
/** What stands behind is not looked at. */
const MAX_LENGTH = 512;

/** What the player calls itself. Anybody can call himself anything, so it refuses only. */
export class UserAgentsRule implements Filter {
  readonly name = RULE;
  readonly #allow: Patterns;
  readonly #deny: Patterns;

  constructor(config: UserAgentsRuleConfig) {
    this.#allow = new Patterns(config.allow);
    this.#deny = new Patterns(config.deny);
  }

  look({ userAgent }: RuleInput): Verdict {
    const agent = userAgent.slice(0, MAX_LENGTH).toLowerCase();
    if (this.#deny.some(agent)) return REFUSED;
    return this.#allow.isEmpty || this.#allow.some(agent) ? PASS : REFUSED;
  }
}

/** A pattern with * or ? is of the whole text; one without may be any part of it. */
class Patterns {
  readonly #parts: readonly string[];
  readonly #wholes: readonly string[];

  constructor(patterns: readonly string[]) {
    const known = [...new Set(patterns.map((pattern) => byteString(pattern).toLowerCase()))];
    this.#parts = known.filter((pattern) => !hasWildcard(pattern));
    this.#wholes = known.filter(hasWildcard);
  }

  get isEmpty(): boolean {
    return this.#parts.length + this.#wholes.length === 0;
  }

  some(text: string): boolean {
    return (
      this.#parts.some((part) => text.includes(part)) ||
      this.#wholes.some((whole) => matchesWildcard(whole, text))
    );
  }
}
