import type { ReasonCode } from './reason.js';

/** What a rule says. A denial is a value. */
export type RuleOutcome =
  /** Undecided: the next rule, then the backend. A chain without one behind it never says this in the end. */
  { readonly kind: 'pass' } | RuleAllow | RuleDenial;

export interface RuleAllow {
  readonly kind: 'allow';
  /** The rule's key in the configuration: ip, securetoken, users, jwt, otherwise. */
  readonly rule: string;
  readonly user?: string;
  readonly sessionName?: string;
  /** Cluster time, ms: the token's end. None: as long as the session lives. */
  readonly until?: number;
  /** So many devices of this user at once. */
  readonly maxSessions?: number;
}

export interface RuleDenial {
  readonly kind: 'deny';
  readonly rule: string;
  readonly reason: ReasonCode;
}

/** What rules look at: of a Check, and as there byte strings. `query`, `token` and `authorization` are secrets. */
export interface RuleInput {
  readonly edge: string;
  readonly channel: string;
  readonly path: string;
  readonly ip: string;
  readonly userAgent: string;
  readonly host: string;
  readonly query: string;
  readonly referer?: string;
  /** A token that the dialect names apart from the query: Flussonic's, a Bearer. */
  readonly token?: string;
  readonly authorization?: string;
}

/** The rules of one route, in the documented order. The first that decides counts. */
export interface RuleChain {
  /**
   * Synchronous where it can be: only passwords, and keys and signatures of tokens, are waited for. Never throws or
   * rejects: what breaks inside a rule passes on or denies as documented, and is logged.
   */
  decide(asked: RuleInput): RuleOutcome | Promise<RuleOutcome>;
  /**
   * What is looked at for each check, also one that is answered from memory: addresses, countries, user agents,
   * referers. Undefined: nothing says no.
   */
  refusal(asked: RuleInput): RuleDenial | undefined;
}

export interface Rules {
  /** By the route's place in the configuration; undefined: it has none. */
  ofRoute(index: number): RuleChain | undefined;
  /** Raised whenever a list was reloaded: what is cached is looked at again. */
  readonly version: number;
}
