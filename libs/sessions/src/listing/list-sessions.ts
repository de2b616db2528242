import type { Session } from '#usher/domain';
import { aliveKey, channelKey, encodeName, isReplyError } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { plainAddress } from '../plain-address.js';
import type { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { allShards, boundName, edgeKey, edgesKey, nameOf } from '../registry/session-names.js';
import { readRecord, userValue } from '../registry/session-record.js';
import { sessionScript } from '../registry/session-script.js';
import { BEGINNING, readCursor, writeCursor } from './list-position.js';
import type { ListPosition } from './list-position.js';
import { listUser } from './list-user.js';
import { LOOK_PER_PAGE, LIST_PATIENCE } from './session-query.js';
import type { SessionPage, SessionQuery } from './session-query.js';

const LIST = sessionScript('list-sessions-2');

/** One script looks at no more, so as not to hold Redis up for more than 1 ms or so. */
const LOOK_AT_ONCE = 500;
/** One page looks into no more indexes. */
const INDEXES_PER_PAGE = 200;
/**
 * One page of the sessions that live. A session that is there all along is on exactly one page, unless it moves to
 * another shard meanwhile. Throws InvalidCursorError; rejects as Redis does.
 */
export async function listSessions(
  redis: RedisClient,
  registry: RedisSessionRegistry,
  asked: SessionQuery = {},
): Promise<SessionPage> {
  const query = asked.ip === undefined ? asked : { ...asked, ip: plainAddress(asked.ip) };
  const limit = Math.min(500, Math.max(1, Math.trunc(query.limit ?? 100)));
  const start = readCursor(query.cursor);
  return query.user === undefined
    ? new Walk(redis, registry.shards, query, limit).from(start)
    : listUser(redis, registry, query, limit, start);
}

/** Goes through the indexes that the query names, shard by shard. */
class Walk {
  readonly #sessions: Session[] = [];
  readonly #filters: readonly string[];
  #looked = 0;
  #indexes = 0;

  constructor(
    private readonly redis: RedisClient,
    private readonly shards: number,
    private readonly query: SessionQuery,
    private readonly limit: number,
  ) {
    this.#filters = filtersOf(query);
  }

  async from(start: ListPosition): Promise<SessionPage> {
    let position: ListPosition | undefined = start;
    while (position !== undefined && this.#mayGoOn()) position = await this.#step(position);
    return position === undefined
      ? { sessions: this.#sessions }
      : { sessions: this.#sessions, cursor: writeCursor(position) };
  }

  #mayGoOn(): boolean {
    return (
      this.#sessions.length < this.limit && this.#looked < LOOK_PER_PAGE && this.#indexes < INDEXES_PER_PAGE
    );
  }

  /** A piece of one index; returns where to go on, undefined at the end of all. */
  async #step(position: ListPosition): Promise<ListPosition | undefined> {
    const shard = allShards(this.shards)[position.shard];
    if (shard === undefined) return undefined;
    this.#indexes += 1;
    const edge = position.member === '' ? await this.#nextEdge(shard, position.edge) : position.edge;
    if (edge === undefined) return { ...BEGINNING, shard: position.shard + 1 };
    const { part, openedAt, member } = await this.#look(shard, edge, position);
    if (member !== '') return { shard: position.shard, edge, part, openedAt, member };
    // The index is at its end: the next edge of this shard, or where one index is all, the next shard.
    return this.#isOneIndex()
      ? { ...BEGINNING, shard: position.shard + 1 }
      : { ...BEGINNING, shard: position.shard, edge };
  }

  #isOneIndex(): boolean {
    return this.query.channel !== undefined || this.query.edge !== undefined;
  }

  async #nextEdge(shard: string, after: string): Promise<string | undefined> {
    if (this.#isOneIndex()) return '';
    const from = after === '' ? '-' : `(${after}`;
    const args = [edgesKey(shard), from, '+', 'BYLEX', 'LIMIT', 0, 1];
    const reply = await this.redis.call('ZRANGE', args, LIST_PATIENCE);
    return (reply as string[])[0];
  }

  async #look(
    shard: string,
    edge: string,
    position: ListPosition,
  ): Promise<Pick<ListPosition, 'part' | 'openedAt' | 'member'>> {
    const candidates = Math.min(LOOK_AT_ONCE, LOOK_PER_PAGE - this.#looked);
    const wanted = this.limit - this.#sessions.length;
    const keys = [aliveKey(shard), this.#indexKey(shard, edge)];
    const kind = this.query.channel === undefined ? 'edge' : 'channel';
    const { part: from, openedAt: after, member: afterMember } = position;
    const args = [kind, from, after, afterMember, candidates, wanted, ...this.#filters];
    let reply: unknown;
    try {
      reply = await this.redis.run(LIST, keys, args, LIST_PATIENCE);
    } catch (error) {
      // Garbage under one index hides no other.
      if (isReplyError(error) && error.message.includes('WRONGTYPE')) return BEGINNING;
      throw error;
    }
    const [part, openedAt, member, looked, records] = reply as [number, string, string, number, unknown[][]];
    this.#looked += looked;
    for (const [name, ...record] of records) {
      const sessionName = nameOf(String(name));
      const session = sessionName === undefined ? undefined : readRecord(sessionName, record);
      if (session !== undefined) this.#sessions.push(session);
    }
    return { part, openedAt, member };
  }

  #indexKey(shard: string, edge: string): string {
    if (this.query.channel !== undefined) return channelKey(shard, boundName(this.query.channel));
    return this.query.edge === undefined ? `usher:edge:{${shard}}:${edge}` : edgeKey(shard, this.query.edge);
  }
}

/** What a record must hold besides being in the index that is walked. */
function filtersOf(query: SessionQuery): string[] {
  const filters: string[] = [];
  if (query.edge !== undefined) filters.push('edge', encodeName(query.edge));
  for (const field of ['ip', 'state', 'source', 'presence'] as const) {
    const value = query[field];
    if (value !== undefined) filters.push(field, value);
  }
  if (query.user !== undefined) filters.push('user', userValue(query.user.namespace, query.user.user));
  return filters;
}
