import type { StreamClient } from '#usher/bus';
import type { Config } from '#usher/config';
import type { Clock } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { forgetKnown, refreshUser } from '#usher/sessions';

/** A user of whom every process is to forget what it keeps. */
export interface RefreshedUser {
  readonly namespace: string;
  readonly user: string;
  /** Cluster time, ms: what was answered later stands. */
  readonly at: number;
}

export interface Refreshed {
  /** His sessions in the registry, 1,000 at most. */
  readonly sessions: number;
  /** Of these, those about which their backend is asked again. */
  readonly askedAgain: number;
}

export interface UserRefreshParts {
  readonly config: Pick<Config, 'backends' | 'redis'>;
  readonly redis: RedisClient;
  readonly bus: StreamClient;
  readonly clock: Clock;
  /** Told in each process. */
  readonly onRefreshed: (refreshed: RefreshedUser) => void;
}

/** Rejects as Redis does: then it is to be repeated, which harms nobody. */
export type RefreshUser = (namespace: string, user: string) => Promise<Refreshed>;

const REFRESHED = 'user.refreshed';
/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;

/** Lets every process forget what it keeps of a user: he paid, or was cut off, this minute. */
export function userRefresh({ config, redis, bus, clock, onRefreshed }: UserRefreshParts): RefreshUser {
  const { shards } = config.redis;
  const reusable = Object.entries(config.backends)
    .filter(([, { credential }]) => credential === 'reusable')
    .map(([name]) => name);
  bus.events.on(REFRESHED, (data) => {
    const refreshed = readEvent(data);
    if (refreshed !== undefined) onRefreshed(refreshed);
  });
  return async (namespace, user) => {
    if (namespace === '' || user === '') throw new RangeError('a user is named by namespace and user');
    const at = clock.now();
    // In Redis first: whoever forgets what he keeps looks there.
    const sessions = await refreshUser(redis, namespace, user, { shards, reusable });
    await Promise.all(
      sessions.map(({ backend, viewerKey }) =>
        forgetKnown(redis, shards, { backend, viewerKey, user, allowedBefore: at }),
      ),
    );
    await emitted(bus, { v: VERSION, namespace, user, at });
    return { sessions: sessions.length, askedAgain: sessions.filter(({ askedAgain }) => askedAgain).length };
  };
}

function emitted(bus: StreamClient, event: object): Promise<void> {
  return new Promise((resolve, reject) => {
    bus.emit(REFRESHED, event).subscribe({ complete: resolve, error: reject });
  });
}

function readEvent(data: unknown): RefreshedUser | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { v, namespace, user, at } = data as Readonly<Record<string, unknown>>;
  if (v !== VERSION || typeof namespace !== 'string' || typeof user !== 'string') return undefined;
  return typeof at === 'number' ? { namespace, user, at } : undefined;
}
