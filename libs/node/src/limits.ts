import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '#usher/config';
import { MAX_CAP, sessionLife, type SessionLife } from '#usher/decisions';
import { DIALECTS } from '#usher/dialects';
import { viewerKeyOf } from '#usher/domain';
import type { Clock, DeviceLimits, Log, Newcomer, Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { DeviceSlots, SlotGiven, SlotLook, SlotWanted } from '#usher/sessions';
import type { Evict } from './limit-evictions.js';
import { limitedEdge } from './limited-edge.js';

/** After Redis came back empty it takes so long until it knows again who watches, ms. */
const FILLING = 60_000;
/** Who was admitted because Redis was late is counted afterwards: tried again after these, ms. */
const AGAIN_AFTER = [250, 1_000];
const PATIENCE = 1_000;
/** Sessions that are offered back at once, and the pause after them, ms: 2,000 a second. */
const OFFERED = 50;
const OFFER_PAUSE = 25;

export interface LimitsParts {
  readonly config: Pick<Config, 'gateway' | 'edges' | 'limits' | 'backends' | 'routes'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly redis: Pick<RedisClient, 'away'>;
  readonly slots: Pick<DeviceSlots, 'take' | 'look'>;
  readonly evict: Evict;
}

/** How often the cap was reached, since the start. */
export interface LimitCounts {
  refused: number;
  evicted: number;
  /** Admitted because Redis was away or late. */
  unchecked: number;
}

type Mode = SlotWanted['mode'];

/** The cluster's caps on devices, as a gateway asks for them. */
export class ClusterLimits implements DeviceLimits {
  readonly counts: Readonly<Record<Mode, LimitCounts>> = {
    observe: { refused: 0, evicted: 0, unchecked: 0 },
    enforce: { refused: 0, evicted: 0, unchecked: 0 },
  };
  readonly #life: SessionLife;
  #observesUntil = 0;

  constructor(private readonly parts: LimitsParts) {
    this.#life = sessionLife(parts.config);
  }

  async admit(newcomer: Newcomer): Promise<'admitted' | 'over'> {
    const mode = this.#mode();
    const wanted = this.#wanted(newcomer, mode);
    try {
      const given = await this.parts.slots.take(wanted);
      this.#reached(wanted, given);
      return mode === 'enforce' && given.outcome === 'over' ? 'over' : 'admitted';
    } catch (error) {
      this.counts[mode].unchecked += 1;
      this.parts.log.debug({ error, user: newcomer.user }, 'nobody could be asked for a place: admitted');
      void this.#countLater({ ...wanted, how: 'late' });
      return 'admitted';
    }
  }

  /** What `admit` would come to, and changes nothing. Rejects while Redis is away or late. */
  async look(newcomer: Newcomer): Promise<SlotLook & { readonly mode: Mode }> {
    const mode = this.#mode();
    return { ...(await this.parts.slots.look(this.#wanted(newcomer, mode))), mode };
  }

  /** Redis came back empty: nobody is refused until it knows again who watches. */
  observeForAWhile(): void {
    this.#observesUntil = this.parts.clock.monotonic() + FILLING;
  }

  /** Tells a Redis that lost them which devices watch. Never rejects. */
  async offer(sessions: Iterable<Session>, signal: AbortSignal): Promise<void> {
    let offered = 0;
    for (const session of sessions) {
      if (signal.aborted || this.parts.redis.away) return;
      const newcomer = this.#newcomerOf(session);
      if (newcomer === undefined) continue;
      const wanted = this.#wanted(newcomer, 'observe');
      if (wanted.grace > 0) this.parts.slots.take(wanted, PATIENCE).catch(() => undefined);
      offered += 1;
      if (offered % OFFERED === 0) await delay(OFFER_PAUSE);
    }
  }

  #mode(): Mode {
    const isFilling = this.parts.clock.monotonic() < this.#observesUntil;
    return this.parts.config.limits.mode === 'enforce' && !isFilling ? 'enforce' : 'observe';
  }

  #wanted({ isOpen, isLate, asksAgainAfter, ...newcomer }: Newcomer, mode: Mode): SlotWanted {
    const { config } = this.parts;
    const { edge, habit } = newcomer;
    const way = limitedEdge(config, { edge, habit, asksAgainAfter });
    const how = isOpen ? 'open' : isLate === true ? 'late' : 'new';
    const life = this.#life.lifeOf(edge, 'seen');
    const seenLife = way.isSeen && life > config.gateway.seenLife ? life : undefined;
    return { ...newcomer, ...way, seenLife, mode, over: config.limits.over, how };
  }

  #reached({ user, namespace, cap, mode }: SlotWanted, given: SlotGiven): void {
    const { log, evict } = this.parts;
    if (given.outcome === 'over') {
      this.counts[mode].refused += 1;
      const words = mode === 'enforce' ? 'another device was refused' : 'another device would be refused';
      if (given.isNews) log.info({ user, namespace, cap, watching: given.watching }, `at the cap: ${words}`);
    }
    if (given.surplus === undefined) return;
    this.counts[mode].evicted += given.surplus.sessions.length;
    evict(given.surplus).catch((error: unknown) =>
      log.warn({ error, user, namespace }, 'a session could not be evicted; it is found again when counted'),
    );
  }

  /** No viewer waits for it. While Redis is away it is given up: all that is kept is offered when it is back. */
  async #countLater(wanted: SlotWanted): Promise<void> {
    for (const pause of AGAIN_AFTER) {
      await new Promise((resolve) => setTimeout(resolve, pause).unref());
      if (this.parts.redis.away) return;
      const taken = await this.parts.slots.take(wanted, PATIENCE).catch(() => undefined);
      if (taken !== undefined) return;
    }
  }

  /** The route is not known any more: its cap comes with the next who is admitted. */
  #newcomerOf(session: Session): Newcomer | undefined {
    const { backends, limits, routes } = this.parts.config;
    const backend = backends[session.backend];
    const dialect = Object.hasOwn(DIALECTS, session.dialect)
      ? DIALECTS[session.dialect as keyof typeof DIALECTS]
      : undefined;
    const mayHaveCap =
      backend?.maxDevices !== undefined ||
      limits.fromHeaders ||
      routes.some(({ maxDevices }) => maxDevices !== undefined);
    if (!mayHaveCap || backend === undefined || dialect === undefined || session.user === '')
      return undefined;
    const { edge, sessionId, namespace, user, viewerKey, channel, path } = session;
    const isNamed = viewerKeyOf(session, undefined) !== viewerKey;
    return {
      edge,
      sessionId,
      namespace,
      user,
      viewerKey,
      habit: dialect.habit,
      channel: channel === '' ? path : channel,
      device: isNamed ? 'named' : backend.type === 'ministra' ? 'user' : 'guess',
      asksAgainAfter: Math.max(0, session.authorizedUntil - session.openedAt),
      cap: backend.maxDevices ?? MAX_CAP,
      isOpen: true,
    };
  }
}
