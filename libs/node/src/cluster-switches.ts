import type { StreamClient } from '#usher/bus';
import type { Config } from '#usher/config';
import type { Clock, Log, Switch, SwitchKind, Switches } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import {
  SwitchMemory,
  SwitchTable,
  TimedFollower,
  type EventFacts,
  type EventType,
  type EventWriter,
  type NewSwitch,
  type SwitchChange,
} from '#usher/sessions';

/** Tells every process to look at the table of switches. */
const CHANGED = 'switches.changed';
/** Whoever forgets one is asked again some day: a switch lasts at most so long, ms. */
const MOST_LASTS = 31 * 86_400_000;
/** The cluster's clock may move meanwhile: the next end is looked for again so often at least, ms. */
const LOOK_FOR_END = 60_000;

/** There is no backend or route of this name that could be switched; the message says which there are. */
export class SwitchNameError extends Error {
  override readonly name = 'SwitchNameError';
}

/** The cluster's switches: as this process knows them, and the way to change them for all. */
export interface ClusterSwitches extends Switches {
  /** The switches that count now. */
  all(): Iterable<Switch>;
  /**
   * Sets a switch; one on the same backend or route is replaced. In force here when it resolves, and everywhere within a
   * moment. Rejects as Redis does.
   * @throws SwitchNameError; RangeError for a time that is past or beyond 31 days
   */
  set(wanted: NewSwitch): Promise<Switch>;
  /** False where there was none. Rejects as Redis does. */
  lift(kind: SwitchKind, name: string, by: string, reason?: string): Promise<boolean>;
  /** Reads what changed; never rejects. */
  look(): Promise<void>;
  stop(): void;
}

export interface ClusterSwitchesParts {
  readonly config: Pick<Config, 'backends' | 'routes'>;
  readonly redis: RedisClient;
  readonly bus: StreamClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: Pick<EventWriter, 'tell'>;
  /** A switch was set, lifted or is over: told once in each process. */
  readonly onChange: (change: SwitchChange) => void;
}

/** Follows the table of switches; while Redis is away what is known stands, and ends by itself. */
export function clusterSwitches(parts: ClusterSwitchesParts): ClusterSwitches {
  const { config, redis, bus, clock, log, events } = parts;
  const memory = new SwitchMemory(clock, (change) => {
    parts.onChange(change);
    waitForEnd();
  });
  const table = new SwitchTable(redis);
  const follower = new TimedFollower({ table, memory, redis, log });
  let end: NodeJS.Timeout | undefined;
  /** One timer for all of them: a check goes by the clock, but what was kept under a switch is to be dropped in time. */
  function waitForEnd(): void {
    clearTimeout(end);
    const next = Math.min(...Array.from(memory.switches(), ({ until }) => until));
    if (next === Infinity) return;
    const wait = Math.min(LOOK_FOR_END, Math.max(1, next - clock.now()));
    end = setTimeout(() => {
      memory.purge();
      waitForEnd();
    }, wait).unref();
  }
  bus.events.on(CHANGED, () => void follower.look());
  follower.start();
  /** Who does not hear it finds it at its next look. */
  const changed = async (): Promise<void> => {
    bus.emit(CHANGED, {}).subscribe({
      error: (error: unknown) => log.debug({ error }, 'a change of switches could not be told'),
    });
    await follower.look();
  };
  const tell = (type: EventType, about: string, facts: EventFacts): void => {
    events
      .tell(type, about, facts)
      .catch((error: unknown) => log.debug({ error, type }, 'an event could not be told'));
  };
  return {
    ofBackend: (backend) => memory.ofBackend(backend),
    ofRoute: (route) => memory.ofRoute(route),
    all: () => memory.switches(),
    set: async (wanted) => {
      checkName(wanted, config);
      const { time } = wanted;
      const lasts = 'lasts' in time ? time.lasts : time.until - clock.now();
      if (!(lasts > 0 && lasts <= MOST_LASTS)) throw new RangeError('a switch ends within 31 days from now');
      const { effect: _, ...set } = await table.set(wanted);
      const { kind, name, mode, until, by, reason } = set;
      tell('switch.set', name, { kind, name, mode, until: Math.round(until), by, reason });
      await changed();
      return set;
    },
    lift: async (kind, name, by, reason) => {
      const lifted = await table.lift(kind, name, by, reason);
      if (lifted) {
        tell('switch.lifted', name, { kind, name, by, reason });
        await changed();
      }
      return lifted;
    },
    look: () => follower.look(),
    stop: () => {
      clearTimeout(end);
      follower.stop();
    },
  };
}

/** `backend portal is switched: maintenance until 2026-11-24T03:00:00.000Z, by anna`. */
export function switchSentence({ kind, name, mode, until, by }: Switch): string {
  const what = mode === 'maintenance' ? mode : `forced ${mode === 'open' ? 'to let in on trust' : mode}`;
  return `${kind} ${name} is switched: ${what} until ${new Date(until).toISOString()}, by ${by}`;
}

function checkName({ kind, name }: NewSwitch, { backends, routes }: ClusterSwitchesParts['config']): void {
  const names =
    kind === 'backend'
      ? Object.keys(backends)
      : // Nobody is asked about a public route: a hold on its channels refuses there.
        routes.flatMap((route) => (route.name === undefined || route.access === 'public' ? [] : route.name));
  if (names.includes(name)) return;
  const known = names.length === 0 ? 'none can be switched' : `there are: ${names.join(', ')}`;
  throw new SwitchNameError(`there is no ${kind} "${name}" that asks a backend; ${known}`);
}
