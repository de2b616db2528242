import type { ReasonCode, RuleAllow, RuleDenial, RuleInput, RuleOutcome } from '#usher/domain';

/** What one rule says: an outcome, or that the rules below do not concern this check. */
export type Verdict = RuleOutcome | { readonly kind: 'exempt' };

/** Looked at for each check, also one that is answered from memory: synchronous and cheap. */
export interface Filter {
  /** Its key in the configuration. */
  readonly name: string;
  look(asked: RuleInput): Verdict;
}

/** Looks at what the viewer shows. May have to wait. */
export interface CredentialRule {
  readonly name: string;
  judge(asked: RuleInput): RuleOutcome | Promise<RuleOutcome>;
}

export const PASS: RuleOutcome = Object.freeze({ kind: 'pass' });
export const EXEMPT: Verdict = Object.freeze({ kind: 'exempt' });

/** Made once: a refusal costs no memory. */
export function deny(rule: string, reason: ReasonCode): RuleDenial {
  return Object.freeze({ kind: 'deny', rule, reason });
}

export function allow(rule: string, facts: Omit<RuleAllow, 'kind' | 'rule'> = {}): RuleAllow {
  return Object.freeze({ kind: 'allow', rule, ...facts });
}
