import type { Session } from '#usher/domain';
import { RedisSessionRegistry } from '#usher/sessions';
import type { RedisClient } from '#usher/redis';

/** Devices of a user: four sessions in a row are his. */
export const DEVICES = 4;
/** Milliseconds. */
export const LIFE = 14_400_000;
/** For one command, ms: a busy machine loses none. */
export const TIMEOUT = 10_000;
export const SHARDS = 16;
/** Opened side by side. */
const IN_FLIGHT = 128;

export const clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** Session number so and so, as an Astra and a backend have it: 20 edges, 300 channels. */
export function sessionOf(count: number): Session {
  const user = String(100_000 + Math.floor(count / DEVICES));
  const now = clock.now();
  return {
    edge: `astra-${count % 20}`,
    sessionId: String(count),
    fingerprint: String(count).padStart(26, 'f'),
    viewerKey: String(count % DEVICES).repeat(26),
    channel: `a${count % 300}`,
    ip: '192.0.2.7',
    userAgent: 'VLC/3.0.18 LibVLC/3.0.18',
    host: 'live.example.com',
    path: '/play/a001/index.m3u8',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user,
    sessionName: user,
    state: 'active',
    source: 'backend',
    presence: 'assumed',
    openedAt: now,
    authorizedUntil: 0,
    aliveUntil: now + LIFE,
  };
}

/** As `sessionOf`, with an address of its own, and seen by its edge. */
export function seenSession(count: number): Session {
  const ip = `10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`;
  return { ...sessionOf(count), ip, presence: 'seen' };
}

/** A registry that leaves hardly an event behind: nobody shall work them off while something else is measured. */
export function quietRegistry(redis: RedisClient): RedisSessionRegistry {
  return new RedisSessionRegistry(redis, clock, { shards: SHARDS, eventsKept: 1 });
}

/** Opens all of them. Rejects where one is not new. */
export async function openAll(registry: RedisSessionRegistry, sessions: readonly Session[]): Promise<void> {
  let next = 0;
  const some = async (): Promise<void> => {
    for (let session = sessions[next]; session !== undefined; session = sessions[next]) {
      next += 1;
      const opened = await registry.openSession(session);
      if (opened !== 'opened')
        throw new Error(`${session.edge}/${session.sessionId} was ${opened}, not opened`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, some));
}
