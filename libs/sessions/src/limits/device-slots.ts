import type { DeviceKind, LimitMode, OverLimit, SessionName } from '#usher/domain';
import { aliveKey, decodeName, eventsKey } from '#usher/redis';
import type { RedisArg, RedisClient } from '#usher/redis';
import { allShards, boundUser, memberOf, nameOf, userShardOf } from '../registry/session-names.js';
import { userValue } from '../registry/session-record.js';
import { channelMark, recountKey, slotsKey } from './limit-keys.js';
import { limitScript } from './limit-script.js';

const ADMIT = limitScript('admit-device-4', 4);
const LOOK = limitScript('look-devices-2', 2);
const RECOUNT = limitScript('recount-devices-3', 3);

/** Seconds: what a slot has room for. */
const LONGEST_GRACE = 9_999;
/** Characters of a viewer key that tell a user's devices apart. */
const SHORT_KEY = 8;
const MINUTE = 60_000;
/** Users whose devices one script counts. */
const AT_ONCE = 20;
/** The count again is in no hurry, ms. */
const PATIENCE = 1_000;

const DEVICE_SIGNS: Readonly<Record<DeviceKind, string>> = { named: '=', user: '@', guess: '~' };

export interface DeviceSlotsOptions {
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  /** What a sign of life gives (`gateway.assumedLife`): the last one is alive-until less this, ms. */
  readonly life: number;
  /** The same of a session that is seen, unless its slot says longer (`gateway.seenLife`), ms. Default `life`. */
  readonly seenLife?: number;
  /** Events kept in each shard's stream, about. Default 10,000. */
  readonly eventsKept?: number;
  /** Cluster time, ms, where it is not Redis' own; for tests. */
  readonly now?: () => number;
}

/** Somebody who wants a place. Wire strings are byte strings. */
export interface SlotWanted extends SessionName {
  readonly namespace: string;
  readonly user: string;
  readonly channel: string;
  readonly device: DeviceKind;
  readonly viewerKey: string;
  /** Its edge can be told to cut it. */
  readonly canCut: boolean;
  /** It is seen, under a name that may come again. */
  readonly isSeen: boolean;
  /** What a sign of life gives to one that is seen, where that is more than `seenLife`: whole minutes, in ms. */
  readonly seenLife?: number | undefined;
  /** A session that lives shows it more often, and one that has gone is silent by then, ms; 0: nobody tells its end. */
  readonly grace: number;
  readonly cap: number;
  readonly mode: Exclude<LimitMode, 'off'>;
  readonly over: OverLimit;
  /** `open`: allowed earlier, admitted whatever the count; `late`: as open, and the user is counted again soon. */
  readonly how: 'new' | 'open' | 'late';
}

/** Sessions that have to go: of one user, for one reason. */
export interface Surplus {
  readonly namespace: string;
  /** As his sessions' records have it: a long name is cut. */
  readonly user: string;
  readonly cap: number;
  /** Observed: they stay, and it is only told. */
  readonly mode: Exclude<LimitMode, 'off'>;
  /** They are held for so long, ms. */
  readonly holdFor: number;
  readonly sessions: readonly SessionName[];
}

export interface SlotGiven {
  /** `evicts`: admitted in the place of others; `over`: refused. In mode observe both only would have been. */
  readonly outcome: 'admitted' | 'over' | 'evicts';
  /** Told as an event just now: a refusal is, once a minute and user. */
  readonly isNews: boolean;
  /** Devices that counted before. */
  readonly watching: number;
  readonly surplus: Surplus | undefined;
}

/** What would become of a newcomer. */
export interface SlotLook {
  /** `takes-over`: the place of a device of his own, or of one that is probably his. */
  readonly outcome: 'admitted' | 'takes-over' | 'evicts' | 'over';
  /** Devices that count now, without his. */
  readonly watching: number;
}

/** The places under users' caps, in Redis. All methods reject while Redis is away or late. */
export class DeviceSlots {
  /** All shards, by their number. */
  readonly shards: readonly string[];

  constructor(
    private readonly redis: RedisClient,
    private readonly options: DeviceSlotsOptions,
  ) {
    if (!(options.shards >= 1)) throw new RangeError(`redis.shards: at least 1, not ${options.shards}`);
    for (const life of [options.life, options.seenLife ?? options.life])
      if (!(life > 0)) throw new RangeError(`what a sign of life gives: over 0 ms, not ${life}`);
    this.shards = allShards(options.shards);
  }

  /** One round trip; idempotent. */
  async take(wanted: SlotWanted, timeoutMs?: number): Promise<SlotGiven> {
    const { namespace, user, cap, mode } = wanted;
    if (!(cap >= 1) || user === '') throw new RangeError(`a cap of at least 1 for somebody, not ${cap}`);
    const shard = userShardOf(namespace, user, this.options.shards);
    const keys = [aliveKey(shard), eventsKey(shard), slotsKey(shard, namespace, user), recountKey(shard)];
    const reply = await this.redis.run(ADMIT, keys, this.#argsOf(wanted), timeoutMs);
    const [outcome, news, holdFor, watching, ...members] = reply as [
      SlotGiven['outcome'],
      ...(number | string)[],
    ];
    const surplus: Surplus = {
      namespace,
      user: boundUser(namespace, user),
      cap,
      mode,
      holdFor: Number(holdFor),
      sessions: named(members),
    };
    return {
      outcome,
      isNews: news === 1,
      watching: Number(watching),
      surplus: members.length > 0 ? surplus : undefined,
    };
  }

  /** What `take` would come to for a new session. Changes nothing. */
  async look(wanted: SlotWanted, timeoutMs?: number): Promise<SlotLook> {
    const { namespace, user, channel, cap, over } = wanted;
    const shard = userShardOf(namespace, user, this.options.shards);
    const keys = [aliveKey(shard), slotsKey(shard, namespace, user)];
    const asked = [memberOf(wanted), deviceMark(wanted), channelMark(channel), cap, over];
    const reply = await this.redis.run(LOOK, keys, [this.#now(), ...asked, ...this.#lives()], timeoutMs);
    const [outcome, watching] = reply as [SlotLook['outcome'], number];
    return { outcome, watching };
  }

  /** Counts the devices of the users of one shard whose time has come. `mode` is the most that is done about it. */
  async recount(shard: string, mode: Surplus['mode']): Promise<Surplus[]> {
    const keys = [aliveKey(shard), eventsKey(shard), recountKey(shard)];
    const found: Surplus[] = [];
    for (let looked = AT_ONCE; looked === AT_ONCE;) {
      const args = [this.#now(), AT_ONCE, ...this.#lives(), this.#eventsKept(), mode];
      const reply = await this.redis.run(RECOUNT, keys, args, PATIENCE);
      const [count, ...rows] = reply as [number, ...[string, Surplus['mode'], number, number, ...string[]][]];
      looked = count;
      for (const [user, how, cap, holdFor, ...members] of rows) {
        found.push({ ...userIn(user), mode: how, cap, holdFor, sessions: named(members) });
      }
    }
    return found;
  }

  #argsOf(wanted: SlotWanted): RedisArg[] {
    const { namespace, user, channel, canCut, isSeen, grace, seenLife } = wanted;
    return [
      this.#now(),
      memberOf(wanted),
      deviceMark(wanted),
      `${canCut ? 'c' : ''}${isSeen ? `s${lifeLetter(seenLife)}` : ''}`,
      Math.min(LONGEST_GRACE, Math.ceil(grace / 1000)),
      channelMark(channel),
      wanted.cap,
      wanted.mode,
      wanted.over,
      wanted.how,
      ...this.#lives(),
      this.#eventsKept(),
      userValue(namespace, user),
    ];
  }

  #lives(): [life: number, seenLife: number] {
    const { life, seenLife = life } = this.options;
    return [life, seenLife];
  }

  #now(): number {
    return Math.round(this.options.now?.() ?? 0);
  }

  #eventsKept(): number {
    return this.options.eventsKept ?? 10_000;
  }
}

const deviceMark = ({ device, viewerKey }: SlotWanted): string =>
  `${DEVICE_SIGNS[device]}${device === 'user' ? '' : viewerKey.slice(0, SHORT_KEY)}`;

/** A for a minute, to Z. Who asks less often than that counts for nothing. */
function lifeLetter(life = 0): string {
  const minutes = Math.round(life / MINUTE);
  return minutes >= 1 && minutes <= 26 ? String.fromCharCode(64 + minutes) : '';
}

function named(members: readonly (string | number)[]): SessionName[] {
  return members.map((member) => nameOf(String(member))).filter((name) => name !== undefined);
}

/** `namespace/user`, both encoded. */
function userIn(value: string): { namespace: string; user: string } {
  const slash = value.indexOf('/');
  return { namespace: decodeName(value.slice(0, slash)), user: decodeName(value.slice(slash + 1)) };
}
