import type { Clock } from '#usher/domain';
import { channelKey, userKey, type RedisClient } from '#usher/redis';
import { allShards } from '../registry/session-names.js';
import { CENSUS_PATIENCE, drawSessions, type Draw } from './draw-sessions.js';

/** Sessions drawn for one list. */
const DRAWN = 2_000;
/** Channels that are counted exactly: those drawn most, and those of the last list. */
const CHANNELS = 100;
/** Users that the next list counts again, whether they are drawn or not. */
const USERS = 200;
/** Many who ask at once cost one draw, ms. */
const GOOD_FOR = 2_000;

/** Who has how many sessions. */
export interface Count<Name> {
  readonly name: Name;
  readonly sessions: number;
}

export interface TopLists {
  /** Of all sessions. */
  readonly total: number;
  /** So many were drawn; all of them where it is the total. */
  readonly drawn: number;
  /** Cluster time, ms. */
  readonly at: number;
  /** Exact counts. A channel with 1 in 100 sessions is always among them. */
  readonly channels: readonly Count<string>[];
  /** By the share of those drawn: exact where all were drawn. */
  readonly edges: readonly Count<string>[];
  /**
   * Exact counts of those who were drawn, in this list or one of the last. Among many thousand sessions somebody with
   * a few may be missing; each list finds more of them.
   */
  readonly users: readonly Count<{ readonly namespace: string; readonly user: string }>[];
}

type User = TopLists['users'][number]['name'];
type PlacedUser = { readonly shard: string; readonly user: User };

/**
 * Who has most sessions, in constant time: some are drawn at random, and whoever is drawn is then counted by indexes.
 */
export class Census {
  #channels: readonly string[] = [];
  /** Of the last list, with their shards. */
  #users: ReadonlyMap<string, PlacedUser> = new Map();
  #last: TopLists | undefined;
  #lastAt = -Infinity;
  #counting: Promise<TopLists> | undefined;

  constructor(
    private readonly redis: RedisClient,
    private readonly shards: number,
    private readonly clock: Clock,
  ) {}

  /** The lists, the longest first. Rejects as Redis does. */
  async top(): Promise<TopLists> {
    if (this.#last !== undefined && this.clock.monotonic() - this.#lastAt < GOOD_FOR) return this.#last;
    this.#counting ??= this.#count().finally(() => (this.#counting = undefined));
    return this.#counting;
  }

  async #count(): Promise<TopLists> {
    const draw = await drawSessions(this.redis, this.shards, DRAWN);
    const [channels, users] = await Promise.all([this.#countChannels(draw), this.#countUsers(draw)]);
    const { total, sessions } = draw;
    this.#channels = channels.slice(0, CHANNELS / 2).map(({ name }) => name);
    this.#lastAt = this.clock.monotonic();
    this.#last = {
      total,
      drawn: sessions.length,
      at: this.clock.now(),
      channels,
      edges: byShare(draw),
      users,
    };
    return this.#last;
  }

  async #countChannels({ sessions }: Draw): Promise<Count<string>[]> {
    const drawn = tally(sessions.map(({ channel }) => channel)).map(([name]) => name);
    const names = [...new Set([...this.#channels, ...drawn])].slice(0, CHANNELS);
    const shards = allShards(this.shards);
    const counts = names.map(async (name) => {
      const parts = shards.map((shard) => this.#size('ZCARD', channelKey(shard, name)));
      return { name, sessions: (await Promise.all(parts)).reduce((sum, size) => sum + size, 0) };
    });
    return sorted(await Promise.all(counts));
  }

  async #countUsers({ sessions }: Draw): Promise<Count<User>[]> {
    const placed = new Map(this.#users);
    for (const { shard, user } of sessions) {
      if (user !== undefined) placed.set(nameOfUser(user), { shard, user });
    }
    const counts = Array.from(placed.values(), async ({ shard, user }) => ({
      name: user,
      sessions: await this.#size('HLEN', userKey(shard, user.namespace, user.user)),
    }));
    const top = sorted(await Promise.all(counts));
    const names = top.slice(0, USERS).map(({ name }) => nameOfUser(name));
    this.#users = new Map(names.map((name) => [name, placed.get(name)!]));
    return top;
  }

  async #size(command: 'ZCARD' | 'HLEN', key: string): Promise<number> {
    return Number(await this.redis.call(command, [key], CENSUS_PATIENCE).catch(zeroForGarbage));
  }
}

/** A key that holds something else counts nothing; a Redis that is away is no count. */
function zeroForGarbage(error: unknown): number {
  if (error instanceof Error && error.message.includes('WRONGTYPE')) return 0;
  throw error;
}

function nameOfUser({ namespace, user }: User): string {
  return `${namespace}/${user}`;
}

function byShare({ total, sessions }: Draw): Count<string>[] {
  const factor = sessions.length === 0 ? 0 : total / sessions.length;
  return tally(sessions.map(({ edge }) => edge)).map(([name, count]) => ({
    name,
    sessions: Math.round(count * factor),
  }));
}

function tally(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function sorted<Name>(counts: readonly Count<Name>[]): Count<Name>[] {
  return counts.filter(({ sessions }) => sessions > 0).sort((a, b) => b.sessions - a.sessions);
}
