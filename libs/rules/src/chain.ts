import type { ReasonCode, RuleChain, RuleDenial, RuleInput, RuleOutcome } from '#usher/domain';
import { allow, deny, PASS, type CredentialRule, type Filter } from './rule.js';
import type { Trouble } from './trouble.js';

const OTHERWISE = 'otherwise';
const UNDECIDED = deny(OTHERWISE, 'rule-undecided');
const LET_IN = allow(OTHERWISE);

export interface ChainParts {
  /** In log lines: `routes[0]`. */
  readonly place: string;
  /** In their order. All of them come before the credentials. */
  readonly filters: readonly Filter[];
  readonly credentials: readonly CredentialRule[];
  /** Whether somebody is asked, or everybody let in, behind the rules. */
  readonly hasTarget: boolean;
  readonly otherwise: 'pass' | 'deny';
  readonly trouble: Trouble;
}

/** What the filters come to. */
type Filtered = RuleOutcome | { readonly kind: 'exempt' };

/** The rules of one route, one after the other. A filter that breaks passes on; a credential's rule that breaks denies. */
export class Chain implements RuleChain {
  readonly #undecided: RuleOutcome;
  readonly #exempt: RuleOutcome;

  constructor(private readonly parts: ChainParts) {
    const { hasTarget, otherwise } = parts;
    this.#undecided = otherwise === 'deny' ? UNDECIDED : hasTarget ? PASS : LET_IN;
    // Who is to go to the backend goes there, whatever becomes of the others.
    this.#exempt = hasTarget ? PASS : this.#undecided;
  }

  refusal(asked: RuleInput): RuleDenial | undefined {
    const filtered = this.#filtered(asked);
    return filtered.kind === 'deny' ? filtered : undefined;
  }

  decide(asked: RuleInput): RuleOutcome | Promise<RuleOutcome> {
    const filtered = this.#filtered(asked);
    if (filtered.kind === 'exempt') return this.#exempt;
    return filtered.kind === 'pass' ? this.#judged(asked, 0) : filtered;
  }

  #filtered(asked: RuleInput): Filtered {
    for (const filter of this.parts.filters) {
      try {
        const verdict = filter.look(asked);
        if (verdict.kind !== 'pass') return verdict;
      } catch (error) {
        this.#broke(filter.name, error);
      }
    }
    return PASS;
  }

  /** Asks the rules from the given one on. Waits only for those that have to wait. */
  #judged(asked: RuleInput, from: number): RuleOutcome | Promise<RuleOutcome> {
    const { credentials } = this.parts;
    for (let at = from; at < credentials.length; at += 1) {
      const rule = credentials[at]!;
      try {
        const outcome = rule.judge(asked);
        if ('then' in outcome) return this.#awaited(outcome, rule, asked, at);
        if (outcome.kind !== 'pass') return outcome;
      } catch (error) {
        return this.#refused(rule.name, error);
      }
    }
    return this.#undecided;
  }

  async #awaited(
    waited: Promise<RuleOutcome>,
    rule: CredentialRule,
    asked: RuleInput,
    at: number,
  ): Promise<RuleOutcome> {
    try {
      const outcome = await waited;
      return outcome.kind === 'pass' ? await this.#judged(asked, at + 1) : outcome;
    } catch (error) {
      return this.#refused(rule.name, error);
    }
  }

  #refused(rule: string, error: unknown): RuleDenial {
    this.#broke(rule, error);
    return deny(rule, 'rule-broken' satisfies ReasonCode);
  }

  #broke(rule: string, error: unknown): void {
    this.parts.trouble.tell(`${this.parts.place}.rules.${rule}`, error);
  }
}
