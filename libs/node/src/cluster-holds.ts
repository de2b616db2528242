import type { StreamClient } from '#usher/bus';
import type { Clock, Hold, HoldKind, Holds, Log } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import {
  HoldMemory,
  HoldTable,
  TimedFollower,
  type EventFacts,
  type EventType,
  type EventWriter,
  type NewHold,
} from '#usher/sessions';

/** Tells every process to look at the table of holds. */
const CHANGED = 'holds.changed';

/** The cluster's holds: as this process knows them, and the way to change them for all. */
export interface ClusterHolds extends Holds {
  /** The holds that count now. */
  all(): Iterable<Hold>;
  readonly size: number;
  /** Rejects as `HoldTable.set` does. In force here when it resolves, and everywhere within a moment. */
  set(hold: NewHold): Promise<Hold>;
  /** Rejects as `HoldTable.lift` does. False where there was none. */
  lift(kind: HoldKind, subject: string, by: string, reason?: string): Promise<boolean>;
  /** Reads what changed; never rejects. */
  look(): Promise<void>;
  stop(): void;
}

export interface ClusterHoldsParts {
  readonly redis: RedisClient;
  readonly bus: StreamClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Pick<EventWriter, 'tell'>;
}

/** Follows the table of holds; while Redis is away what is known stands. */
export function clusterHolds({ redis, bus, clock, log, events }: ClusterHoldsParts): ClusterHolds {
  const memory = new HoldMemory(clock);
  const table = new HoldTable(redis);
  const follower = new TimedFollower({ table, memory, redis, log });
  bus.events.on(CHANGED, () => void follower.look());
  follower.start();
  /** Who does not hear it finds it at its next look. */
  const changed = async (): Promise<void> => {
    bus.emit(CHANGED, {}).subscribe({
      error: (error: unknown) => log.debug({ error }, 'a change of holds could not be told'),
    });
    await follower.look();
  };
  const tell = (type: EventType, about: string, facts: EventFacts): void => {
    events
      .tell(type, about, facts)
      .catch((error: unknown) => log.debug({ error, type }, 'an event could not be told'));
  };
  return {
    get version() {
      return memory.version;
    },
    get size() {
      return memory.size;
    },
    before: (facts, but) => memory.before(facts, but),
    ofUser: (namespace, user, viewerKey, but) => memory.ofUser(namespace, user, viewerKey, but),
    all: () => memory.holds(),
    set: async (hold) => {
      const kept = await table.set(hold);
      memory.apply(kept);
      const { kind, subject, effect, until, origin, by, reason } = kept;
      tell('hold.set', subject, { kind, subject, effect, until: Math.round(until), origin, by, reason });
      await changed();
      return kept;
    },
    lift: async (kind, subject, by, reason) => {
      const lifted = await table.lift(kind, subject, by, reason);
      if (lifted) {
        tell('hold.lifted', subject, { kind, subject, by, reason });
        await changed();
      }
      return lifted;
    },
    look: () => follower.look(),
    stop: () => follower.stop(),
  };
}
