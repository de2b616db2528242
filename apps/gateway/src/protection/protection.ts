import type { Config } from '#usher/config';
import type { CheckContext, Settled } from '#usher/decisions';
import { credentialKeyOf, digest, type Clock, type Log } from '#usher/domain';
import type { ClusterHolds } from '#usher/node';
import { Throttle } from '#usher/observe';
import { USERS_AT, type Counted, type EventWriter, type SuspectCounts } from '#usher/sessions';
import { LRUCache } from 'lru-cache';
import { networkTest } from '../edges/networks.js';
import { LocalCounts } from './local-counts.js';
import { addressOf, isHis, observations, type Measure, type Observation } from './measures.js';

const HOUR = 3_600_000;
/** Addresses, credentials and users that a gateway remembers. */
const SUSPECTS = 100_000;
/** What is remembered of all of them together. */
const THINGS = 400_000;
/** Of so many edges that ask here it is remembered from where. */
const ASKERS = 10_000;
/** A credential that so many users have is nobody's own. */
const SEVERAL = 2;
/** Counts under way; what comes on top is left out: an attack never fills our memory. */
const MOST_UNDER_WAY = 1_000;
/** In mode observe, and where holding fails, one and the same is told so often, ms. */
const TOLD_EVERY = 600_000;

export interface ProtectionParts {
  readonly config: Pick<Config, 'protection' | 'edges' | 'gateway'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly counts: Pick<SuspectCounts, 'count'>;
  readonly holds: Pick<ClusterHolds, 'set'>;
  readonly events: Pick<EventWriter, 'tell'>;
  /** Of the users that a decision names. */
  readonly namespaceOf: (settled: Settled) => string;
}

/** held: a hold was set; observed: it would have been; spared: who is never held; failed: Redis. */
export type ProtectionResult = 'held' | 'observed' | 'spared' | 'failed';

/** Counts what is peculiar about viewers, cluster-wide, and holds whoever passes a limit. No viewer waits for it. */
export class Protection {
  /** By measure and result, for metrics. */
  readonly results = new Map<
    string,
    { readonly measure: string; readonly result: ProtectionResult; count: number }
  >();
  /** Observations left out because too many were under way. */
  dropped = 0;
  readonly #local: LocalCounts;
  readonly #told: Throttle;
  readonly #isOurs: (address: string) => boolean;
  /** Edges that are named by their URLs alone are known by no setting. */
  readonly #askers = new LRUCache<string, true>({ max: ASKERS });
  #underWay = 0;

  constructor(private readonly parts: ProtectionParts) {
    const { clock, config } = parts;
    this.#local = new LocalCounts(clock, SUSPECTS, THINGS);
    this.#told = new Throttle(clock, { every: TOLD_EVERY, maxKeys: 10_000 });
    this.#isOurs = oursTest(config);
  }

  /**
   * To be called with each check that was not answered from memory.
   * @param asker the asking connection's address
   */
  note(context: CheckContext, settled: Settled, asker: string): void {
    const { decision } = settled;
    const namespace = this.parts.namespaceOf(settled);
    const { user = '' } = decision;
    this.#askers.set(addressOf(asker), true);
    if (decision.allow && user !== '') this.#noteUser(context, `${namespace}/${user}`);
    for (const one of observations(context, decision, namespace)) this.#observe(one, context);
  }

  /** What an address and a credential are spared for. */
  #noteUser(context: CheckContext, user: string): void {
    const { usersPerAddress } = this.parts.config.protection;
    this.#noteUserOf(addressOf(context.check.ip), user, usersPerAddress);
    if (isHis(context)) this.#noteUserOf(credentialKeyOf(context.credential), user, SEVERAL);
  }

  #noteUserOf(subject: string, user: string, limit: number): void {
    const things = this.#local.add(`${USERS_AT} ${subject}`, digest('user', user), { limit, window: HOUR });
    if (things.length === 0) return;
    const seen = { measure: USERS_AT, subject, hasUsers: true, things, limit, window: HOUR };
    void this.#underCount(() => this.parts.counts.count(seen));
  }

  #observe({ measure, subject, thing }: Observation, context: CheckContext): void {
    const { name, window, of } = measure;
    const limit = this.parts.config.protection[name];
    if (limit === 0) return;
    const things = this.#local.add(`${name} ${subject}`, thing, { limit, window });
    if (things.length === 0) return;
    const seen = { measure: name, subject, hasUsers: of !== 'user', things, limit, window };
    void this.#underCount(async () => {
      const counted = await this.parts.counts.count(seen);
      if (counted.passed) await this.#passed(measure, subject, counted, context);
    });
  }

  /** Never rejects: what is not counted while Redis is away is not counted. */
  async #underCount(count: () => Promise<unknown>): Promise<void> {
    if (this.#underWay >= MOST_UNDER_WAY) {
      this.dropped += 1;
      return;
    }
    this.#underWay += 1;
    try {
      await count();
    } catch (error) {
      this.parts.log.debug({ error }, 'what was seen of a suspect could not be counted');
    } finally {
      this.#underWay -= 1;
    }
  }

  async #passed(measure: Measure, subject: string, counted: Counted, context: CheckContext): Promise<void> {
    this.#local.forget(`${measure.name} ${subject}`);
    const sentence = `${counted.count} ${measure.what}`;
    const result = await this.#hold(measure, subject, counted, sentence);
    this.#count(measure.name, result);
    if (result !== 'held' && this.#told.pass(`${measure.name} ${subject}`) === undefined) return;
    const { edge, channel, ip } = context.check;
    const limit = this.parts.config.protection[measure.name];
    const facts = { measure: measure.name, kind: measure.of, subject, count: counted.count, limit, result };
    this.parts.log.warn({ ...facts, edge }, `protection: ${measure.of} with ${sentence}: ${result}`);
    await this.parts.events.tell('protection.tripped', subject, { ...facts, edge, channel, ip });
  }

  async #hold(
    measure: Measure,
    subject: string,
    { users }: Counted,
    sentence: string,
  ): Promise<ProtectionResult> {
    const { protection } = this.parts.config;
    if (this.#isSpared(measure, subject, users)) return 'spared';
    if (protection.mode !== 'enforce') return 'observed';
    const kind = measure.of === 'address' && subject.includes('/') ? 'network' : measure.of;
    const what = { kind, subject, effect: 'refuse', origin: 'protection' } as const;
    const time = { lasts: protection.holdFor };
    try {
      await this.parts.holds.set({ ...what, by: 'protection', reason: sentence, time });
      return 'held';
    } catch (error) {
      this.parts.log.warn({ error, measure: measure.name }, 'protection: a hold could not be set');
      return 'failed';
    }
  }

  /** Whoever is held there holds many who have done nothing. */
  #isSpared({ of }: Measure, subject: string, users: number): boolean {
    if (of === 'credential') return users >= SEVERAL;
    if (of === 'user') return false;
    return (
      users > this.parts.config.protection.usersPerAddress ||
      this.#askers.has(subject) ||
      this.#isOurs(subject)
    );
  }

  #count(measure: string, result: ProtectionResult): void {
    const key = `${measure} ${result}`;
    const row = this.results.get(key) ?? { measure, result, count: 0 };
    row.count += 1;
    this.results.set(key, row);
  }
}

/**
 * Whoever is held there holds all of an edge's viewers: an edge that names no viewer's address is seen with its own. Of IPv6
 * whoever shares a /64 with one of ours is spared with it.
 */
function oursTest({ edges, gateway }: ProtectionParts['config']): (subject: string) => boolean {
  const named = Object.values(edges).flatMap(({ addresses }) => addresses);
  const isNamed = networkTest(named, 'edges');
  const isProxy = networkTest(gateway.proxies, 'gateway.proxies');
  const near = new Set([...named, ...gateway.proxies].map((address) => addressOf(bare(address))));
  return (subject) => near.has(subject) || isNamed(bare(subject)) || isProxy(bare(subject));
}

/** Without the length of a network. */
const bare = (network: string): string => network.replace(/\/\d+$/, '');
