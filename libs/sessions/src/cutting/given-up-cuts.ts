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

/** A session that its edge was told to cut in vain. */
export interface GivenUpCut {
  readonly edge: string;
  readonly sessionId: string;
  /** Why it was to be cut. */
  readonly reason: CloseReason;
  /** Why it was not; for people, without credentials. */
  readonly detail: string;
}

/** The cuts that were given up in the last 7 days, no more than about 1,000. Rejects while Redis is away or late. */
export class GivenUpCuts {
  constructor(private readonly redis: RedisClient) {}

  async keep({ edge, sessionId, reason, detail }: GivenUpCut): Promise<void> {
    const facts = { edge, session: sessionId, reason, detail };
    const fields = Object.entries(facts).flatMap(([name, value]) => [name, cut(readable(value), MAX_TEXT)]);
    await this.redis.run(KEEP, [KEY], [KEPT, KEPT_FOR, ...fields], PATIENCE);
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
    reason: of('reason') as CloseReason,
    detail: of('detail'),
  };
}
