import type { BackendConfig } from '#usher/config';
import type { Reply, ReplyHeaders } from '../http/exchange.js';
import type { Verdict } from '../http/verdict.js';
import type { Input } from './adapter.js';

/** What sets one kind of middleware apart; all else is the same for all (http-adapter.ts). */
export interface Middleware {
  readonly sees: readonly Input[];
  /** 4xx other than 401 and 403, where the operator says nothing. */
  readonly otherStatus: 'deny' | 'failed';
  /** The settings besides the common ones that mean something to it; another one is refused. */
  readonly settings: readonly (keyof BackendConfig)[];
  /** The script's address from the configured one. */
  address(url: URL): URL;
  /** How to tell what its answers mean. Throws for settings that make no sense. */
  rules(config: BackendConfig): AnswerRules;
}

export interface AnswerRules {
  /** False: status and headers suffice. */
  readonly needsBody: (status: number, headers: ReplyHeaders) => boolean;
  /** Has the last word; `byStatus` is what the status alone means, an allow only for a 200. */
  readonly judge: (reply: Reply, byStatus: Verdict) => Verdict;
}
