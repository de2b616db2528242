import type { Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { ManualClock } from '#usher/testing';
import { aSession } from '../registry/for-tests.js';
import { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import { allShards } from '../registry/session-names.js';
import { touchSessions } from '../registry/touch-sessions.js';
import { DeviceSlots, type SlotGiven, type SlotLook, type SlotWanted, type Surplus } from './device-slots.js';

/** What a sign of life gives, ms. */
const LIFE = 14_400_000;
/** The same of one that is seen, ms. */
const SEEN_LIFE = 240_000;
export const SHARDS = 4;
/** Of an edge whose list is read each 30 s, and that keeps a session for 60 s, ms. */
export const LISTED = 120_000;
/** Of one that asks for each part of a stream, ms. */
export const SEEN = 30_000;

export interface Watching extends Session {
  readonly wanted: SlotWanted;
}

export interface Came extends Watching {
  readonly given: SlotGiven;
  /** What was seen just before. */
  readonly look: SlotLook;
}

/** What was seen of it before, in the words of what came: of whoever was not allowed earlier it is the same. */
export function foreseen({ look }: Came): Pick<SlotGiven, 'outcome' | 'watching'> {
  const { outcome, watching } = look;
  return { outcome: outcome === 'takes-over' ? 'admitted' : outcome, watching };
}

/** Users at the cap, with the real registry, as time goes by where the test says so. */
export class LimitWorld {
  readonly clock = new ManualClock(Date.now());
  readonly slots: DeviceSlots;
  readonly registry: RedisSessionRegistry;
  #count = 0;

  constructor(
    readonly redis: RedisClient,
    /** What all who come have in common. */
    private readonly common: Partial<SlotWanted> = {},
    /** Makes one world's users others than another's. */
    readonly name = 'anna',
  ) {
    const now = (): number => this.clock.now();
    this.slots = new DeviceSlots(redis, { shards: SHARDS, life: LIFE, seenLife: SEEN_LIFE, now });
    this.registry = new RedisSessionRegistry(redis, this.clock, { shards: SHARDS });
  }

  /** Takes a place, and where there is one, opens the session. */
  async comes(changes: Partial<SlotWanted> = {}): Promise<Came> {
    const wanted = this.wanted(changes);
    const look = await this.slots.look(wanted);
    const given = await this.slots.take(wanted);
    const session = this.#sessionOf(wanted);
    if (given.outcome !== 'over' || wanted.mode === 'observe') await this.registry.openSession(session);
    return { ...session, wanted, given, look };
  }

  wanted(changes: Partial<SlotWanted> = {}): SlotWanted {
    return {
      edge: 'astra-1',
      sessionId: `${this.name}-${(this.#count += 1)}`,
      namespace: 'portal',
      user: this.name,
      channel: 'a001',
      device: 'named',
      viewerKey: 'nbswy3dpo53xo4tmnbswy3dpo5',
      canCut: true,
      isSeen: false,
      grace: LISTED,
      cap: 1,
      mode: 'enforce',
      over: 'deny-new',
      how: 'new',
      ...this.common,
      ...changes,
    };
  }

  /** Each shows a sign of life now. */
  async show(...sessions: readonly (Session & { readonly wanted?: SlotWanted })[]): Promise<void> {
    for (const session of sessions) {
      const shard = this.registry.shardOf(session);
      const aliveUntil = this.clock.now() + this.#lifeOf(session);
      await touchSessions(this.redis, this.registry, shard, [{ name: session, aliveUntil }]);
    }
  }

  async leaves(session: Session): Promise<void> {
    await this.registry.close(session, 'closed-by-edge');
  }

  /** Counts again where it is time to. */
  async recount(mode: Surplus['mode'] = 'enforce'): Promise<Surplus[]> {
    const found: Surplus[] = [];
    for (const shard of allShards(SHARDS)) found.push(...(await this.slots.recount(shard, mode)));
    return found;
  }

  #sessionOf(wanted: SlotWanted): Session {
    const { edge, sessionId, namespace, user, channel, viewerKey, isSeen } = wanted;
    const now = this.clock.now();
    const presence = isSeen ? 'seen' : 'listed';
    const name = { edge, sessionId, namespace, user, sessionName: user };
    return aSession({
      ...name,
      channel,
      viewerKey,
      presence,
      openedAt: now,
      aliveUntil: now + this.#lifeOf({ presence, wanted }),
    });
  }

  #lifeOf({ presence, wanted }: Pick<Session, 'presence'> & { readonly wanted?: SlotWanted }): number {
    return presence === 'seen' ? (wanted?.seenLife ?? SEEN_LIFE) : LIFE;
  }
}
