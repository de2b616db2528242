import { allParts, isReplyError, sessionKey, whereKey } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { RedisSessionRegistry } from './redis-session-registry.js';
import { memberOf, nameOf } from './session-names.js';

const PATIENCE = 1_000;
/** Records looked for at once. */
const AT_ONCE = 100;

/**
 * Takes out of `where` what names a shard that has no such session: a crash between the end of a session and the end of
 * its entry, a record that expired unswept, a master that came back empty. One part of a shard at a time, round and
 * round. An entry that is too many is no harm meanwhile: it costs a lookup a second look.
 */
export class WhereTidier {
  /** By shard: which part comes next. */
  readonly #next = new Map<string, number>();

  constructor(
    private readonly redis: RedisClient,
    private readonly registry: RedisSessionRegistry,
  ) {}

  /** The next part of this home shard. Returns how many entries were taken out. Rejects as Redis does. */
  async tidy(home: string): Promise<number> {
    const parts = allParts();
    const next = this.#next.get(home) ?? 0;
    this.#next.set(home, (next + 1) % parts.length);
    return this.#tidyPart(whereKey(home, parts[next]!));
  }

  async #tidyPart(key: string): Promise<number> {
    const entries = await this.#entriesOf(key);
    let gone = 0;
    for (let from = 0; from < entries.length; from += AT_ONCE) {
      const batch = entries.slice(from, from + AT_ONCE);
      const ended = await Promise.all(batch.map((entry) => this.#tidyEntry(key, entry)));
      gone += ended.filter(Boolean).length;
    }
    return gone;
  }

  async #entriesOf(key: string): Promise<[string, string][]> {
    try {
      const reply = (await this.redis.call('HGETALL', [key], PATIENCE)) as string[];
      return reply.flatMap((member, i): [string, string][] => (i % 2 === 0 ? [[member, reply[i + 1]!]] : []));
    } catch (error) {
      if (isReplyError(error, 'WRONGTYPE')) return [];
      throw error;
    }
  }

  async #tidyEntry(key: string, [member, shard]: [string, string]): Promise<boolean> {
    const name = nameOf(member);
    if (name === undefined || memberOf(name) !== member || !/^\d{1,2}$/.test(shard)) {
      await this.redis.call('HDEL', [key, member], PATIENCE);
      return true;
    }
    const at = shard.padStart(2, '0');
    const record = sessionKey(at, name.edge, name.sessionId);
    if ((await this.redis.call('EXISTS', [record], PATIENCE)) === 1) return false;
    await this.registry.forgetWhere(name, at);
    // It may have been opened there again while we looked, when `where` was still right.
    if ((await this.redis.call('EXISTS', [record], PATIENCE)) === 0) return true;
    await this.redis.call('HSETNX', [key, member, Number(shard)], PATIENCE);
    return false;
  }
}
