import type { CloseReason, Clock, FoundSession, Session, SessionName, SessionRegistry } from '#usher/domain';
import {
  aliveKey,
  channelKey,
  eventsKey,
  isReplyError,
  script,
  sessionKey,
  userKey,
  whereKey,
} from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import { RegistryError } from './registry-error.js';
import {
  boundName,
  boundUser,
  countsKey,
  edgeKey,
  edgesKey,
  homeShardOf,
  memberOf,
  sessionShardOf,
} from './session-names.js';
import { noteReplaced } from './restarts.js';
import { readRecord, recordFields, wholeText } from './session-record.js';
import { sessionScript } from './session-script.js';

const OPEN = sessionScript('open-session-8');
const CLOSE = sessionScript('close-session-4');
const READ = script(import.meta.url, './lua/read-session-2.lua');
const FORGET_WHERE = script(import.meta.url, './lua/forget-where-1.lua');

/** A record, and `where` with it, outlives its session so long (also in the scripts), ms. */
const KEPT_AFTER = 3_600_000;

export interface RegistryOptions {
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  /** Events kept in each shard's stream, about. Default 10,000. */
  readonly eventsKept?: number;
  /** Told of garbage in Redis that a lookup stepped over. */
  readonly onGarbage?: (error: RegistryError) => void;
  /** Told of sessions that this process closed; not of those that others replaced or closed. */
  readonly onClosed?: (names: readonly SessionName[]) => void;
}

/** How an open ended: `late` = the session's time was up already, and nothing was written. */
export type Opened = 'opened' | 'updated' | 'replaced' | 'late';

/** How a close in one shard ended. `kept`: another session than the one that was meant is there. */
type Ended = 'closed' | 'moved' | 'kept' | 'gone';

/** Which session under a name is meant. Without a fingerprint: whichever is there. */
export interface CloseOptions {
  readonly fingerprint?: string;
}

/**
 * The sessions of all gateways, in Redis. Every method rejects with RedisAwayError or RedisTimeoutError while Redis is
 * away or late, and with RegistryError where a key of ours holds something else.
 *
 * A session lives in the shard of its user; until one is named, in its home shard (of edge and session id). `where`
 * tells the shard where it is not the home one. It moves in this order, and a crash in between heals by itself:
 * 1. opened in the new shard   (both there: a lookup still finds the old one, the next open goes on from here)
 * 2. `where` points to it      (both there: a lookup finds the new one, and takes the old one out)
 * 3. taken out of the old one  (with the same fingerprint as `session.moved`, else closed as `replaced`)
 */
export class RedisSessionRegistry implements SessionRegistry {
  readonly shards: number;
  readonly #eventsKept: number;
  readonly #onGarbage: (error: RegistryError) => void;
  readonly #onClosed: (names: readonly SessionName[]) => void;

  constructor(
    private readonly redis: RedisClient,
    private readonly clock: Clock,
    options: RegistryOptions,
  ) {
    if (!Number.isInteger(options.shards) || options.shards < 1 || options.shards > 100) {
      throw new RangeError(`redis.shards: 1 to 100, not ${options.shards}`);
    }
    this.shards = options.shards;
    this.#eventsKept = options.eventsKept ?? 10_000;
    this.#onGarbage = options.onGarbage ?? (() => undefined);
    this.#onClosed = options.onClosed ?? (() => undefined);
  }

  /** The shard of a session: for signs of life, which are sent shard by shard. */
  shardOf(session: Pick<Session, 'edge' | 'sessionId' | 'namespace' | 'user'>): string {
    return sessionShardOf(session, this.shards);
  }

  /** In one round trip where it is at home or nowhere, else in two. Garbage is reported and answered as none. */
  async find(name: SessionName, fingerprint: string): Promise<FoundSession> {
    const session = await this.read(name);
    if (session === undefined) return { kind: 'none' };
    if (session.fingerprint !== fingerprint) return { kind: 'other', session };
    return session.state === 'revoked' ? { kind: 'none' } : { kind: 'same', session };
  }

  /** The session that lives under this name, whoever's it is. */
  async read(name: SessionName): Promise<Session | undefined> {
    const home = homeShardOf(name, this.shards);
    const [atHome, where] = await Promise.all([this.#readIn(home, name), this.#where(name)]);
    if (where === undefined || where === home) return atHome;
    const elsewhere = await this.#readIn(where, name);
    if (atHome === undefined || elsewhere === undefined) return elsewhere ?? atHome;
    if (atHome.fingerprint !== elsewhere.fingerprint) {
      return atHome.openedAt > elsewhere.openedAt ? atHome : elsewhere;
    }
    this.#finishMove(home, elsewhere);
    return elsewhere;
  }

  async open(session: Session): Promise<void> {
    await this.openSession(session);
  }

  /** As `open`, and says how it ended. */
  async openSession(session: Session): Promise<Opened> {
    const home = homeShardOf(session, this.shards);
    const shard = sessionShardOf(session, this.shards);
    const opened = await this.#openIn(shard, session);
    if (opened === 'late') return opened;
    const elsewhere =
      shard === home ? await this.#comeHome(home, session) : await this.#moveTo(shard, home, session);
    if (opened !== 'replaced' && !elsewhere) return opened;
    await noteReplaced(this.redis, session.edge);
    return 'replaced';
  }

  /** Closes the session of this name, in whichever shard it is; false where there is none, or another one. */
  async close(name: SessionName, reason: CloseReason, options: CloseOptions = {}): Promise<boolean> {
    const home = homeShardOf(name, this.shards);
    const condition = options.fingerprint === undefined ? 'any' : 'same';
    const close = (shard: string): Promise<Ended> =>
      this.#closeIn(shard, name, reason, condition, options.fingerprint ?? '');
    const [atHome, where] = await Promise.all([close(home), this.#where(name)]);
    let closed = atHome === 'closed';
    if (where !== undefined && where !== home) {
      const elsewhere = await close(where);
      if (elsewhere !== 'kept') await this.forgetWhere(name, where);
      closed ||= elsewhere === 'closed';
    }
    if (closed) this.noteClosed([{ edge: name.edge, sessionId: name.sessionId }]);
    return closed;
  }

  /** These sessions are over: whoever keeps decisions for them is told. */
  noteClosed(names: readonly SessionName[]): void {
    this.#onClosed(names);
  }

  /** After a session was closed in a shard. Absence is no harm: it is only looked for at home then. */
  async forgetWhere(name: SessionName, shard: string): Promise<void> {
    await this.redis.run(FORGET_WHERE, [whereKey(name.edge, name.sessionId)], [Number(shard)]);
  }

  /** Lets `where` live as long as the record does. */
  async keepWhere(name: SessionName, aliveUntil: number): Promise<void> {
    const key = whereKey(name.edge, name.sessionId);
    await this.redis.call('PEXPIRE', [key, this.#whereLife(aliveUntil)]);
  }

  async #moveTo(shard: string, home: string, session: Session): Promise<boolean> {
    const life = this.#whereLife(session.aliveUntil);
    const key = whereKey(session.edge, session.sessionId);
    const set = this.redis.call('SET', [key, Number(shard), 'PX', life, 'GET']);
    const before = shardIn(await explained(set), this.shards);
    if (before === shard) return false;
    const ended = await this.#closeIn(before ?? home, session, 'replaced', 'superseded', session.fingerprint);
    return ended === 'closed';
  }

  /**
   * Without a user, or with one whose shard happens to be the home one. Where the session has a user already, in that
   * user's shard, it stays there: no user is no news.
   */
  async #comeHome(home: string, session: Session): Promise<boolean> {
    const where = await this.#where(session);
    if (where === undefined || where === home) return false;
    const condition = session.user === '' ? 'other' : 'superseded';
    const ended = await this.#closeIn(where, session, 'replaced', condition, session.fingerprint);
    if (ended !== 'kept') await this.forgetWhere(session, where);
    else {
      const life = [Math.round(session.aliveUntil), memberOf(session)];
      await this.redis.call('ZADD', [aliveKey(where), 'XX', 'GT', ...life]);
      await this.#closeIn(home, session, 'replaced', 'superseded', session.fingerprint);
    }
    return ended === 'closed';
  }

  async #openIn(shard: string, session: Session): Promise<Opened> {
    const { edge, sessionId } = session;
    const key = sessionKey(shard, edge, sessionId);
    const user = boundUser(session.namespace, session.user);
    const keys = [
      aliveKey(shard),
      eventsKey(shard),
      countsKey(shard),
      edgesKey(shard),
      key,
      channelKey(shard, boundName(session.channel)),
      edgeKey(shard, edge),
      session.user === '' ? key : userKey(shard, session.namespace, user),
    ];
    const args: RedisArg[] = [
      memberOf(session),
      Math.round(session.aliveUntil),
      this.#eventsKept,
      session.viewerKey.slice(0, 8),
      wholeText(session.userAgent),
      wholeText(session.path),
      ...recordFields(session),
    ];
    const reply = await explained(this.redis.run(OPEN, keys, args));
    return (reply as [Opened, string])[0];
  }

  async #closeIn(
    shard: string,
    name: SessionName,
    reason: CloseReason,
    condition: 'any' | 'same' | 'other' | 'superseded',
    fingerprint: string,
  ): Promise<Ended> {
    const keys = [
      aliveKey(shard),
      eventsKey(shard),
      countsKey(shard),
      sessionKey(shard, name.edge, name.sessionId),
    ];
    const args = [memberOf(name), reason, this.#eventsKept, condition, fingerprint];
    return (await explained(this.redis.run(CLOSE, keys, args))) as Ended;
  }

  async #readIn(shard: string, name: SessionName): Promise<Session | undefined> {
    const key = sessionKey(shard, name.edge, name.sessionId);
    try {
      const reply = await explained(this.redis.run(READ, [key, aliveKey(shard)], [memberOf(name)]));
      if (reply === null) return undefined;
      const session = readRecord(name, reply);
      if (session === undefined) this.#onGarbage(new RegistryError(`${key}: a record that cannot be read`));
      return session;
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.#onGarbage(new RegistryError(`${key}: ${error.message}`));
      return undefined;
    }
  }

  async #where(name: SessionName): Promise<string | undefined> {
    try {
      return shardIn(await this.redis.call('GET', [whereKey(name.edge, name.sessionId)]), this.shards);
    } catch (error) {
      if (!isReplyError(error, 'WRONGTYPE')) throw error;
      this.#onGarbage(new RegistryError(`${whereKey(name.edge, name.sessionId)}: ${error.message}`));
      return undefined;
    }
  }

  /** The third step of a move, which somebody did not come to. Nobody waits for it, and the next lookup may do it. */
  #finishMove(home: string, moved: Session): void {
    this.#closeIn(home, moved, 'replaced', 'superseded', moved.fingerprint).catch(() => undefined);
  }

  #whereLife(aliveUntil: number): number {
    return Math.max(1, Math.round(aliveUntil - this.clock.now())) + KEPT_AFTER;
  }
}

/** `where` as it is stored (a number: it costs Redis nothing) as two digits; undefined for what is no shard. */
function shardIn(reply: unknown, shards: number): string | undefined {
  if (typeof reply !== 'string' || !/^\d{1,2}$/.test(reply) || Number(reply) >= shards) return undefined;
  return reply.padStart(2, '0');
}

/** A key of another type is garbage; everything else passes. */
async function explained(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply;
  } catch (error) {
    if (isReplyError(error) && error.message.includes('WRONGTYPE')) {
      throw new RegistryError(error.message, { cause: error });
    }
    throw error;
  }
}
