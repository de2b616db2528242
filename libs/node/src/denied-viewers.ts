import type { StreamClient } from '#usher/bus';
import type { Clock, KnownViewers, Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { forgetKnown, userTest } from '#usher/sessions';

/** A viewer whom his backend refuses now, though it allowed him before. */
export interface DeniedViewer {
  readonly backend: string;
  readonly viewerKey: string;
  /** As whom he is forgotten: somebody else behind the same viewer key stays known. */
  readonly user: string;
  /** Cluster time, ms: what was allowed later stands. */
  readonly at: number;
}

export interface DeniedViewersParts {
  readonly redis: RedisClient;
  readonly known: Pick<KnownViewers, 'find'>;
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  readonly bus: StreamClient;
  readonly clock: Clock;
  /** Told in each process. */
  readonly onDenied: (denied: DeniedViewer) => void;
}

/** Rejects as Redis does: then it is to be repeated, which harms nobody. */
export type DenyViewer = (session: Session) => Promise<void>;

const DENIED = 'viewer.denied';
/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;

/** Lets every process forget a known viewer whom his backend refuses when it is asked again: no outage lets him in. */
export function deniedViewers({
  redis,
  known,
  shards,
  bus,
  clock,
  onDenied,
}: DeniedViewersParts): DenyViewer {
  bus.events.on(DENIED, (data) => {
    const denied = readEvent(data);
    if (denied !== undefined) onDenied(denied);
  });
  return async ({ backend, viewerKey, namespace, user }) => {
    const at = clock.now();
    const viewer = await known.find(backend, viewerKey);
    // A session's record has a long name cut.
    const whole = viewer !== undefined && userTest(namespace, user)(viewer.user) ? viewer.user : user;
    // In Redis first: whoever forgets him looks there.
    await forgetKnown(redis, shards, { backend, viewerKey, user: whole, allowedBefore: at });
    await new Promise<void>((resolve, reject) => {
      const event = { v: VERSION, backend, viewerKey, user: whole, at };
      bus.emit(DENIED, event).subscribe({ complete: resolve, error: reject });
    });
  };
}

function readEvent(data: unknown): DeniedViewer | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { v, backend, viewerKey, user, at } = data as Readonly<Record<string, unknown>>;
  if (v !== VERSION || typeof backend !== 'string' || typeof viewerKey !== 'string') return undefined;
  return typeof user === 'string' && typeof at === 'number' ? { backend, viewerKey, user, at } : undefined;
}
