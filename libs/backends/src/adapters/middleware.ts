import type { BackendConfig } from '#usher/config';
import type { Check, Clock } from '#usher/domain';
import type { Reply, ReplyHeaders } from '../http/exchange.js';
import type { Verdict } from '../http/verdict.js';
import type { Input } from './adapter.js';

/** What sets one kind of middleware apart; all else is the same for all (http-adapter.ts). */
export interface Middleware {
  readonly sees: readonly Input[];
  /** Where a viewer's credential stands: none of it can be irrelevant. Default: in the query. */
  readonly credentialIn?: readonly Input[];
  /** 4xx other than 401 and 403, where the operator says nothing. */
  readonly otherStatus: 'deny' | 'failed';
  /** The settings besides the common ones that mean something to it; another one is refused. */
  readonly settings: readonly (keyof BackendConfig)[];
  /** The script's address from the configured one. */
  address(url: URL): URL;
  /** What it is asked, where that is not Astra's question: the viewer's query, and headers. */
  readonly question?: (config: BackendConfig) => OwnQuestion;
  /** How to tell what its answers mean. Throws for settings that make no sense. */
  rules(config: BackendConfig, clock: Clock): AnswerRules;
}

/** A question of a kind's own: a GET whose query says everything. */
export interface OwnQuestion {
  /**
   * What stands behind the address's own query, percent-encoded. Undefined: the viewer shows nothing to ask by, so he is
   * denied without asking.
   * @param again the session was allowed before, and is asked about again
   */
  readonly query: (check: Check, again: boolean) => string | undefined;
  /** Equal queries get equal answers: nothing else is looked at, whatever else of a check is different. */
  readonly isWhole: boolean;
}

export interface AnswerRules {
  /** False: status and headers suffice. */
  readonly needsBody: (status: number, headers: ReplyHeaders) => boolean;
  /** Has the last word; `byStatus` is what the status alone means, an allow only for a 200. */
  readonly judge: (reply: Reply, byStatus: Verdict, check: Check) => Verdict;
}
