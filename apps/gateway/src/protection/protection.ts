import type { Config } from '#usher/config';
import type { CheckContext, Settled } from '#usher/decisions';
import { digest, type Clock, type Log } from '#usher/domain';
import type { ClusterHolds } from '#usher/node';
import { Throttle } from '#usher/observe';
import { USERS_AT, type Counted, type EventWriter, type SuspectCounts } from '#usher/sessions';
import { networkTest } from '../edges/networks.js';
import { LocalCounts } from './local-counts.js';
import { observations, type Measure, type Observation } from './measures.js';

const HOUR = 3_600_000;
/** Addresses, credentials and users that a gateway remembers. */
const SUSPECTS = 100_000;
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

/** held: a hold was set; observed: it would have been; spared: an address that is never held; failed: Redis. */
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
  #underWay = 0;

  constructor(private readonly parts: ProtectionParts) {
    const { clock, config } = parts;
    this.#local = new LocalCounts(clock, SUSPECTS);
    this.#told = new Throttle(clock, { every: TOLD_EVERY, maxKeys: 10_000 });
    this.#isOurs = oursTest(config);
  }

  /** To be called with each check that was not answered from memory. */
  note(context: CheckContext, settled: Settled): void {
    const { decision } = settled;
    const namespace = this.parts.namespaceOf(settled);
    const { ip } = context.check;
    const { user = '' } = decision;
    if (decision.allow && user !== '') this.#noteUser(ip, `${namespace}/${user}`);
    for (const one of observations(context, decision, namespace)) this.#observe(one, context);
  }

  /** What an address is spared for. */
  #noteUser(ip: string, user: string): void {
    const limit = this.parts.config.protection.usersPerAddress;
    const things = this.#local.add(`${USERS_AT} ${ip}`, digest('user', user), { limit, window: HOUR });
    if (things.length === 0) return;
    const seen = { measure: USERS_AT, subject: ip, isAddress: true, things, limit, window: HOUR };
    void this.#underCount(() => this.parts.counts.count(seen));
  }

  #observe({ measure, subject, thing }: Observation, context: CheckContext): void {
    const { name, window, of } = measure;
    const limit = this.parts.config.protection[name];
    if (limit === 0) return;
    const things = this.#local.add(`${name} ${subject}`, thing, { limit, window });
    if (things.length === 0) return;
    const seen = { measure: name, subject, isAddress: of === 'address', things, limit, window };
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
    if (measure.of === 'address' && (users > protection.usersPerAddress || this.#isOurs(subject)))
      return 'spared';
    if (protection.mode !== 'enforce') return 'observed';
    const what = { kind: measure.of, subject, effect: 'refuse', origin: 'protection' } as const;
    const time = { lasts: protection.holdFor };
    try {
      await this.parts.holds.set({ ...what, by: 'protection', reason: sentence, time });
      return 'held';
    } catch (error) {
      this.parts.log.warn({ error, measure: measure.name }, 'protection: a hold could not be set');
      return 'failed';
    }
  }

  #count(measure: string, result: ProtectionResult): void {
    const key = `${measure} ${result}`;
    const row = this.results.get(key) ?? { measure, result, count: 0 };
    row.count += 1;
    this.results.set(key, row);
  }
}

/** Whoever is held there holds all of an edge's viewers: an edge that names no viewer's address is seen with its own. */
function oursTest({ edges, gateway }: ProtectionParts['config']): (address: string) => boolean {
  const named = Object.values(edges).flatMap(({ addresses }) => addresses);
  const isNamed = networkTest(named, 'edges');
  const isProxy = networkTest(gateway.proxies, 'gateway.proxies');
  return (address) => isNamed(address) || isProxy(address);
}
