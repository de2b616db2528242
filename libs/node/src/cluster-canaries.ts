import { CanaryKeeper, isSameSuspicion, suspicionOf, type CanarySuspicion } from '#usher/backends';
import type { StreamClient } from '#usher/bus';
import type { Config } from '#usher/config';
import type { Clock, Log } from '#usher/domain';
import type { RedisClient } from '#usher/redis';

/** Tells every process to look at what canaries have shown. */
const CHANGED = 'canaries.changed';
/** What could not be read is looked up so often, ms. */
const LOOK_AGAIN = 5_000;
/** What was over for longer was told by others, ms. */
const TOLD_WITHIN = 300_000;
/** A suspicion is looked at again before its time is up, but not more often than this, ms. */
const LOOK_LEAST = 1_000;

/** What the canaries of backends show, as this process knows it. */
export interface ClusterCanaries {
  /** Undefined: they are right, it has none, or nobody sends them any more. */
  ofBackend(backend: string): CanarySuspicion | undefined;
  /** Another one is wrong, or right again: every process looks. Never rejects. */
  changed(): Promise<void>;
  /** Reads what is true; never rejects. */
  look(): Promise<void>;
  stop(): void;
}

export interface ClusterCanariesParts {
  readonly config: Pick<Config, 'backends'>;
  readonly redis: RedisClient;
  readonly bus: StreamClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Told once in each process; undefined: they are right again. */
  readonly onChange: (backend: string, suspicion: CanarySuspicion | undefined) => void;
  /** Nobody sends the canaries any more, and what they showed is over since `until`: told in every process, and perhaps again. */
  readonly onLapse: (backend: string, until: number) => void;
}

/** Follows what canaries show; while Redis is away what is known stands until its time is up. */
export function clusterCanaries(parts: ClusterCanariesParts): ClusterCanaries {
  const { config, redis, bus, clock, log, onChange, onLapse } = parts;
  const backends = Object.keys(config.backends).filter(
    (name) => config.backends[name]!.canaries !== undefined,
  );
  const keeper = new CanaryKeeper(redis);
  const known = new Map<string, CanarySuspicion>();
  /** What is true of them could not be read. */
  const unread = new Set<string>();
  let looking: Promise<void> | undefined;
  let again = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  function follow(backend: string, read: CanarySuspicion | undefined): void {
    const now = read !== undefined && read.until > clock.now() ? read : undefined;
    const before = known.get(backend);
    if (now === undefined) known.delete(backend);
    else known.set(backend, now);
    if (!isSameSuspicion(before, now)) onChange(backend, now);
  }

  async function lookAt(backend: string): Promise<void> {
    try {
      const read = suspicionOf(await keeper.read(backend));
      unread.delete(backend);
      follow(backend, read);
      const ago = read === undefined ? -1 : clock.now() - read.until;
      if (read !== undefined && ago >= 0 && ago < TOLD_WITHIN) onLapse(backend, read.until);
    } catch (error) {
      log.debug({ error, backend }, 'what canaries show could not be read');
      follow(backend, known.get(backend));
      unread.add(backend);
    }
  }

  async function lookUntilQuiet(): Promise<void> {
    do {
      again = false;
      await Promise.all(backends.map(lookAt));
    } while (again && !stopped);
    waitForEnd();
  }

  /** Whoever sends canaries renews what they show, without telling. */
  function waitForEnd(): void {
    clearTimeout(timer);
    if ((known.size === 0 && unread.size === 0) || stopped) return;
    const left = Math.min(...Array.from(known.values(), ({ until }) => until)) - clock.now();
    const wait = unread.size > 0 ? Math.min(LOOK_AGAIN, left / 2) : left / 2;
    timer = setTimeout(() => void look(), Math.max(LOOK_LEAST, wait)).unref();
  }

  function look(): Promise<void> {
    if (looking !== undefined) {
      again = true;
      return looking;
    }
    looking = lookUntilQuiet().finally(() => {
      looking = undefined;
    });
    return looking;
  }

  bus.events.on(CHANGED, () => void look());
  // Nobody heard what was told before: between the first look and this, or while Redis was away at the start.
  bus.events.onTailing(() => void look());
  return {
    ofBackend: (backend) => {
      const suspicion = known.get(backend);
      return suspicion !== undefined && suspicion.until > clock.now() ? suspicion : undefined;
    },
    changed: async () => {
      bus.emit(CHANGED, {}).subscribe({
        error: (error: unknown) => log.debug({ error }, 'what canaries show could not be told'),
      });
      await look();
    },
    look,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
