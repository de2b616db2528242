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
  whereKeyOf,
  wherePartOf,
} from './session-names.js';
import { noteReplaced } from './restarts.js';
import { readRecord, recordFields, revokedAtIn, wholeText } from './session-record.js';
import { sessionScript } from './session-script.js';

const OPEN = sessionScript('open-session-9');
const CLOSE = sessionScript('close-session-5');
const REVOKE = sessionScript('revoke-session-5');
const READ = script(import.meta.url, './lua/read-session-3.lua');
const POINT_WHERE = script(import.meta.url, './lua/point-where-2.lua');
const BURY = sessionScript('bury-revoked-1');
const KEEP_WHERE = script(import.meta.url, './lua/keep-where-1.lua');
const FORGET_WHERE = script(import.meta.url, './lua/forget-where-1.lua');

/** A session is followed through so many shards. */
const MOVED_ON = 3;
/** A record, and `where` with it, outlives its session so long (also in the scripts), ms. */
const KEPT_AFTER = 3_600_000;
/** Of a fingerprint: 80 bits tell the sessions of one name apart (also in the scripts). */
const SHORT_FINGERPRINT = 16;

export interface RegistryOptions {
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  /** Events kept in each shard's stream, about. Default 10,000. */
  readonly eventsKept?: number;
  /** Told of garbage in Redis that a lookup stepped over. */
  readonly onGarbage?: (error: RegistryError) => void;
  /** Told of sessions that this process closed; not of those that others replaced or closed. */
  readonly onClosed?: (names: readonly SessionName[], how: Ending) => void;
}

/** `idle`: nobody asked about it for its life, so that it may come back. */
export type Ending = 'ended' | 'idle';

/** How an open ended: `late` = the session's time was up already, or it was revoked since, and nothing was written. */
export type Opened = 'opened' | 'updated' | 'replaced' | 'late';

/**
 * How a close in one shard ended. `kept`: another session than the one that was meant is there. Where a session was to
 * make room for its newer record: `revoked` = it was revoked since, and stays; `over` = it was revoked before, and ended.
 */
type Ended = 'closed' | 'moved' | 'kept' | 'gone' | 'revoked' | 'over';

/** What is to be closed, and why. */
interface Closing {
  readonly reason: CloseReason;
  readonly condition: 'any' | 'same' | 'revoked' | 'other' | 'superseded';
  readonly fingerprint: string;
  /** When the session was opened that is there instead, ms. */
  readonly openedAt?: number;
}

/** How it ended, and the shard that `where` names: of a session's home. */
interface AfterClosing {
  readonly ended: Ended;
  readonly where: string | undefined;
  /** It had been revoked, and is over now. */
  readonly revoked?: Revoked | undefined;
}

/** A session that was revoked, and is over. */
export interface Revoked extends SessionName {
  readonly fingerprint: string;
  /** Cluster time, ms. */
  readonly revokedAt: string;
}

/** The session that is there, and when it was revoked; where there is none, when one with the fingerprint was that is over. */
interface Found {
  readonly session?: Session | undefined;
  readonly revokedAt?: number | undefined;
}

/** Where a session's home is, `where` is read; and set to `where`, to live for `life` ms, if that is given. */
interface AtHome {
  readonly isHome?: boolean;
  readonly where?: string;
  readonly life?: number;
}

/** Which session under a name is meant. Without a fingerprint: whichever is there. */
export interface CloseOptions {
  readonly fingerprint?: string;
}

/**
 * The sessions of all gateways, in Redis. Every method rejects with RedisAwayError or RedisTimeoutError while Redis is
 * away or late, and with RegistryError where a key of ours holds something else.
 *
 * A session lives in the shard of its user; until one is named, in its home shard (of edge and session id). `where`,
 * at home, tells the shard where it is another one. It moves in this order, and a crash in between heals by itself:
 * 1. opened in the new shard    (both there: a lookup still finds the old one, the next open goes on from here)
 * 2. `where` points to it, and it is taken out at home, at once
 * 3. taken out of a third shard where it was before
 * What is taken out with the same fingerprint was moved (`session.moved`), else it is closed as `replaced`.
 */
export class RedisSessionRegistry implements SessionRegistry {
  readonly shards: number;
  readonly #eventsKept: number;
  readonly #onGarbage: (error: RegistryError) => void;
  readonly #onClosed: (names: readonly SessionName[], how: Ending) => void;

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
    const { session, revokedAt } = await this.#lookUp(name, fingerprint);
    if (session === undefined) return { kind: 'none', revokedAt };
    if (session.fingerprint !== fingerprint) return { kind: 'other', session };
    return session.state === 'revoked' ? { kind: 'revoked', session, revokedAt } : { kind: 'same', session };
  }

  /** The session that lives under this name, whoever's it is. */
  async read(name: SessionName): Promise<Session | undefined> {
    return (await this.#lookUp(name, '')).session;
  }

  async #lookUp(name: SessionName, fingerprint: string): Promise<Found> {
    const home = homeShardOf(name, this.shards);
    const { session: atHome, where, revokedAt } = await this.#readIn(home, name, true, fingerprint);
    if (where === undefined || where === home) return { session: atHome, revokedAt };
    const there = await this.#readIn(where, name, false);
    const elsewhere = there.session;
    if (atHome === undefined || elsewhere === undefined) {
      return { session: elsewhere ?? atHome, revokedAt: there.revokedAt ?? revokedAt };
    }
    if (atHome.fingerprint !== elsewhere.fingerprint) {
      return { session: atHome.openedAt > elsewhere.openedAt ? atHome : elsewhere };
    }
    this.#finishMove(home, elsewhere);
    return { session: elsewhere, revokedAt: there.revokedAt };
  }

  async open(session: Session): Promise<void> {
    await this.openSession(session);
  }

  /** As `open`, and says how it ended. */
  async openSession(session: Session): Promise<Opened> {
    const home = homeShardOf(session, this.shards);
    const shard = sessionShardOf(session, this.shards);
    const [opened, where] = await this.#openIn(shard, session, shard === home);
    if (opened === 'late') return opened;
    const before =
      shard === home ? await this.#comeHome(home, session, where) : await this.#moveTo(shard, home, session);
    // It was revoked where it was before: what was written just now is taken back.
    if (before === 'revoked') return opened === 'opened' ? this.#takeBack(shard, home, session) : opened;
    if (opened !== 'replaced' && before !== 'closed') return opened;
    await noteReplaced(this.redis, session.edge);
    return 'replaced';
  }

  /**
   * Revokes the session of this name, in whichever shard it is: it may not go on. It stays listed until it is closed, by
   * its edge, its time or its edge's list, and then the reason is this one. Returns it; undefined where there is none,
   * another one, or one that was revoked already. That its edge is told to cut follows from the event.
   */
  async revoke(
    name: SessionName,
    reason: CloseReason,
    options: CloseOptions = {},
  ): Promise<Session | undefined> {
    const home = homeShardOf(name, this.shards);
    const atHome = await this.#revokeIn(home, name, reason, options, true);
    const { where } = atHome;
    const elsewhere =
      where === undefined || where === home
        ? undefined
        : (await this.#revokeIn(where, name, reason, options, false)).session;
    const revoked = elsewhere ?? atHome.session;
    if (revoked !== undefined) this.noteClosed([{ edge: name.edge, sessionId: name.sessionId }]);
    return revoked;
  }

  /** Closes the session of this name, in whichever shard it is; false where there is none, or another one. */
  async close(
    name: SessionName,
    reason: CloseReason,
    { fingerprint, ifRevoked = false }: CloseOptions & { readonly ifRevoked?: boolean } = {},
  ): Promise<boolean> {
    const home = homeShardOf(name, this.shards);
    const condition = fingerprint === undefined ? 'any' : ifRevoked ? 'revoked' : 'same';
    const how: Closing = { reason, condition, fingerprint: fingerprint ?? '' };
    const { ended: atHome, where } = await this.#closeIn(home, name, how, { isHome: true });
    let closed = atHome === 'closed';
    if (where !== undefined && where !== home) {
      const { ended } = await this.#closeAway(where, name, how);
      if (ended !== 'kept') await this.forgetWhere(name, where);
      closed ||= ended === 'closed';
    }
    if (closed) this.noteClosed([{ edge: name.edge, sessionId: name.sessionId }]);
    return closed;
  }

  /** These sessions are over: whoever keeps decisions for them is told. */
  noteClosed(names: readonly SessionName[], how: Ending = 'ended'): void {
    if (names.length > 0) this.#onClosed(names, how);
  }

  /** After a session that had been revoked was closed elsewhere: at home too it is not to be raised by who missed it. */
  async bury({ fingerprint, revokedAt, ...name }: Revoked): Promise<void> {
    const home = homeShardOf(name, this.shards);
    await this.redis.run(BURY, [aliveKey(home)], [memberOf(name), fingerprint, revokedAt]);
  }

  /** After a session was closed in a shard. Absence is no harm: it is only looked for at home then. */
  async forgetWhere(name: SessionName, shard: string): Promise<void> {
    if (shard === homeShardOf(name, this.shards)) return;
    await this.redis.run(FORGET_WHERE, [whereKeyOf(name, this.shards)], [memberOf(name), Number(shard)]);
  }

  /** Lets `where` live as long as the records do, of sessions that are in this shard: one script for each home shard. */
  async keepWhere(
    shard: string,
    signs: Iterable<Pick<Session, keyof SessionName | 'aliveUntil'>>,
  ): Promise<void> {
    const homes = new Map<string, Map<string, number>>();
    for (const sign of signs) {
      const home = homeShardOf(sign, this.shards);
      if (home === shard) continue;
      const parts = homes.get(home) ?? new Map<string, number>();
      const part = wherePartOf(sign, this.shards);
      homes.set(home, parts.set(part, Math.max(parts.get(part) ?? 0, this.#whereLife(sign.aliveUntil))));
    }
    const kept = Array.from(homes, ([home, parts]) => {
      const [[first] = ['']] = parts;
      return this.redis.run(KEEP_WHERE, [whereKey(home, first)], Array.from(parts).flat());
    });
    await Promise.all(kept);
  }

  /** Returns how the record that was there before ended. */
  async #moveTo(shard: string, home: string, session: Session): Promise<Ended> {
    const how = superseded(session);
    const pointing = { isHome: true, where: shard, life: this.#whereLife(session.aliveUntil) };
    const told = await this.#pointWhere(shard, home, session, pointing.life);
    if (told !== 'more') return told;
    let { ended, where } = await this.#closeIn(home, session, how, pointing);
    // Somebody may move it at the same time: the next open goes on from there.
    for (let turn = 0; turn < MOVED_ON && ended !== 'revoked'; turn += 1) {
      if (where === undefined || where === home || where === shard) return ended;
      const there = await this.#closeAway(where, session, how);
      if (there.ended === 'revoked' || ended !== 'closed') ended = there.ended;
      if (ended === 'revoked') return ended;
      // `where` still names that shard: now it may name this one.
      await this.forgetWhere(session, where);
      ({ where } = await this.#closeIn(home, session, how, pointing));
    }
    return ended;
  }

  /** `more`: there is more to do at home; `revoked`: it was revoked after it was opened, and is over. */
  async #pointWhere(
    shard: string,
    home: string,
    session: Session,
    life: number,
  ): Promise<'gone' | 'more' | 'revoked'> {
    const { edge, sessionId, fingerprint, openedAt } = session;
    const keys = [sessionKey(home, edge, sessionId), whereKeyOf(session, this.shards)];
    const which = [fingerprint.slice(0, SHORT_FINGERPRINT), Math.round(openedAt)];
    const args = [memberOf(session), Number(shard), life, ...which];
    const told = await explained(this.redis.run(POINT_WHERE, keys, args));
    return told === 1 ? 'gone' : told === 0 ? 'more' : 'revoked';
  }

  /**
   * Without a user, or with one whose shard happens to be the home one. Where the session has a user already, in that
   * user's shard, it stays there: no user is no news. Returns how the record that was there before ended.
   */
  async #comeHome(home: string, session: Session, where: string | undefined): Promise<Ended> {
    if (where === undefined || where === home) return 'gone';
    const how = superseded(session);
    const condition = session.user === '' ? 'other' : 'superseded';
    const { ended } = await this.#closeAway(where, session, { ...how, condition });
    if (ended === 'kept') {
      const life = [Math.round(session.aliveUntil), memberOf(session)];
      await this.redis.call('ZADD', [aliveKey(where), 'XX', 'GT', ...life]);
      await this.#closeIn(home, session, how, { isHome: true });
    } else if (ended !== 'revoked') await this.forgetWhere(session, where);
    return ended;
  }

  /** Takes a record out that was opened just now, of a session that was revoked elsewhere before it came. */
  async #takeBack(shard: string, home: string, session: Session): Promise<'late'> {
    const how = { ...superseded(session), openedAt: undefined };
    await this.#closeIn(shard, session, how, { isHome: shard === home });
    return 'late';
  }

  async #openIn(shard: string, session: Session, isHome: boolean): Promise<[Opened, string | undefined]> {
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
      isHome ? whereKeyOf(session, this.shards) : key,
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
    const [opened, , where, buried, revokedAt] = reply as [Opened, string, string, string?, string?];
    const revoked = revokedOf(session, buried, revokedAt);
    if (revoked !== undefined && !isHome) await this.bury(revoked);
    return [opened, shardIn(where, this.shards)];
  }

  /** Where it is not at home: at home too it is noted that it was revoked, for whoever comes late. */
  async #closeAway(shard: string, name: SessionName, how: Closing): Promise<AfterClosing> {
    const closed = await this.#closeIn(shard, name, how);
    if (closed.revoked !== undefined) await this.bury(closed.revoked);
    return closed;
  }

  async #closeIn(
    shard: string,
    name: SessionName,
    { reason, condition, fingerprint, openedAt }: Closing,
    { isHome = false, where = '', life = 0 }: AtHome = {},
  ): Promise<AfterClosing> {
    const key = sessionKey(shard, name.edge, name.sessionId);
    const keys = [
      aliveKey(shard),
      eventsKey(shard),
      countsKey(shard),
      key,
      isHome ? whereKeyOf(name, this.shards) : key,
    ];
    // A number of one digit or two takes one byte.
    const at = where === '' ? '' : Number(where);
    const opened = openedAt === undefined ? '' : Math.round(openedAt);
    const args = [memberOf(name), reason, this.#eventsKept, condition, fingerprint, at, life, opened];
    const reply = await explained(this.redis.run(CLOSE, keys, args));
    const [ended, before, buried, revokedAt] = reply as [Ended, string, string?, string?];
    return { ended, where: shardIn(before, this.shards), revoked: revokedOf(name, buried, revokedAt) };
  }

  async #revokeIn(
    shard: string,
    name: SessionName,
    reason: CloseReason,
    { fingerprint = '' }: CloseOptions,
    isHome: boolean,
  ): Promise<{ session?: Session; where?: string }> {
    const key = sessionKey(shard, name.edge, name.sessionId);
    const keys = [
      aliveKey(shard),
      eventsKey(shard),
      countsKey(shard),
      key,
      isHome ? whereKeyOf(name, this.shards) : key,
    ];
    const args = [memberOf(name), reason, this.#eventsKept, fingerprint];
    const [said, ...record] = wordsOf(await explained(this.redis.run(REVOKE, keys, args)));
    const session = record.length === 0 ? undefined : readRecord(name, record);
    return { session, where: shardIn(said, this.shards) };
  }

  /** The session that lives in this shard; at home also where it is. Garbage is reported and is nothing. */
  async #readIn(
    shard: string,
    name: SessionName,
    isHome: boolean,
    fingerprint = '',
  ): Promise<Found & { readonly where?: string }> {
    const key = sessionKey(shard, name.edge, name.sessionId);
    const at = isHome ? whereKeyOf(name, this.shards) : aliveKey(shard);
    const args = [memberOf(name), fingerprint.slice(0, SHORT_FINGERPRINT)];
    try {
      const reply = await explained(this.redis.run(READ, [key, aliveKey(shard), at], args));
      const [said = '', ...record] = wordsOf(reply);
      const where = shardIn(said, this.shards);
      if (said !== '' && where === undefined) this.#onGarbage(new RegistryError(`${at}: not a shard`));
      // One word more than the shard is no record, but when one was revoked.
      if (record.length <= 1)
        return { where, revokedAt: record.length === 0 ? undefined : Number(record[0]) };
      const session = readRecord(name, record);
      if (session === undefined) this.#onGarbage(new RegistryError(`${key}: a record that cannot be read`));
      return { session, where, revokedAt: revokedAtIn(record) };
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      this.#onGarbage(new RegistryError(`${key}: ${error.message}`));
      return {};
    }
  }

  /** The third step of a move, which somebody did not come to. Nobody waits for it, and the next lookup may do it. */
  #finishMove(home: string, moved: Session): void {
    this.#closeIn(home, moved, superseded(moved)).catch(() => undefined);
  }

  #whereLife(aliveUntil: number): number {
    return Math.max(1, Math.round(aliveUntil - this.clock.now())) + KEPT_AFTER;
  }
}

/** As a script tells it: what it leaves out was not revoked. */
function revokedOf(
  { edge, sessionId }: SessionName,
  fingerprint: string | undefined,
  revokedAt: string | undefined,
): Revoked | undefined {
  return fingerprint === undefined || revokedAt === undefined
    ? undefined
    : { edge, sessionId, fingerprint, revokedAt };
}

/** What was under the name of this session before it. */
function superseded({ fingerprint, openedAt }: Session): Closing {
  return { reason: 'replaced', condition: 'superseded', fingerprint, openedAt };
}

/** A list, or one word alone. */
function wordsOf(reply: unknown): readonly string[] {
  return typeof reply === 'string' ? [reply] : (reply as string[]);
}

/** `where` as it is stored, as two digits; undefined for what is no shard. */
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
