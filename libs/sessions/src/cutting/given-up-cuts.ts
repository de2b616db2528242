import { cut, readable } from '#usher/domain';
import type { CloseReason } from '#usher/domain';
import { script } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

const KEEP = script(import.meta.url, './lua/keep-given-up-1.lua');
const KEY = 'usher:{cuts}:given-up';
/** In seconds, and in number, about. */
const KEPT_FOR = 7 * 86_400;
const KEPT = 1_000;
const PATIENCE = 2_000;
const MAX_TEXT = 512;

/** A session that was to be cut, and was not: its edge did not do it, or cannot be told. */
export interface GivenUpCut {
  readonly edge: string;
  readonly sessionId: string;
  /** `cannot`: its edge cannot be told to cut. `given-up`: it was told in vain, or too many were to be cut. */
  readonly outcome: 'cannot' | 'given-up';
  /** Why it was to be cut. */
  readonly reason: CloseReason;
  /** Why it was not; for people, without credentials. */
  readonly detail: string;
}

/** The cuts that were given up in the last 7 days, no more than about 1,000. Rejects while Redis is away or late. */
export class GivenUpCuts {
  constructor(private readonly redis: RedisClient) {}

  /** Several at once are kept together, or not at all. */
  async keep(...cuts: readonly GivenUpCut[]): Promise<void> {
    const fields = cuts.flatMap(({ edge, sessionId, outcome, reason, detail }) =>
      [edge, sessionId, outcome, reason, detail].map((value) => cut(readable(value), MAX_TEXT)),
    );
    if (cuts.length > 0) await this.redis.run(KEEP, [KEY], [KEPT, KEPT_FOR, ...fields], PATIENCE);
  }

  /** The newest first. `at`: cluster time, ms. */
  async list(limit = 100): Promise<(GivenUpCut & { readonly at: number })[]> {
    const entries = await this.redis.call('XREVRANGE', [KEY, '+', '-', 'COUNT', limit], PATIENCE);
    return Array.isArray(entries) ? entries.map((entry) => readEntry(entry as [string, string[]])) : [];
  }
}

function readEntry([id, fields]: [string, string[]]): GivenUpCut & { readonly at: number } {
  const of = (name: string): string =>
    fields[fields.findIndex((one, at) => at % 2 === 0 && one === name) + 1] ?? '';
  return {
    at: Number(id.split('-')[0]),
    edge: of('edge'),
    sessionId: of('session'),
    // Version N-1 kept no others.
    outcome: of('outcome') === 'cannot' ? 'cannot' : 'given-up',
    reason: of('reason') as CloseReason,
    detail: of('detail'),
  };
}
