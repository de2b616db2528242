import { z } from 'zod';
import type { Why } from '#usher/decisions';
import type { SessionName } from '#usher/domain';
import { readable } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { allShards, eventsOfEnded, type LifecycleEvent, type RedisSessionRegistry } from '#usher/sessions';
import { instantText, timeText, wireString } from '../endpoint/fields.js';
import { answersOf, inOrder, lineOf, type History } from './session-history.js';
import type { SessionView } from './session-view.js';

/** Answers and events have clocks of their own, ms. */
const SLACK = 5_000;

/** How a session ended. */
export const endView = z.strictObject({
  at: instantText,
  reason: z.string().describe('idle, expired, replaced, evicted, kicked, closed-by-edge …'),
  lastedMs: z.int().describe('From its opening to its end.'),
  checks: z.int().describe('How often its edge asked about it, about.'),
});

export interface EndedSession {
  readonly session: SessionView;
  readonly ended: z.output<typeof endView>;
  readonly history: History;
}

/** The last session of this name that ended, from its events; undefined where they are kept no more. Rejects as Redis does. */
export async function readEnded(
  redis: RedisClient,
  registry: Pick<RedisSessionRegistry, 'shards'>,
  why: Why,
  name: SessionName,
): Promise<EndedSession | undefined> {
  const found = await eventsOfEnded(redis, allShards(registry.shards), name);
  const end = found?.events.at(-1);
  if (found === undefined || end === undefined) return undefined;
  const session = viewOfEnded(name, found.events, end);
  const { user, namespace } = session;
  const asked = { ...name, ip: wireString(session.address), namespace, user: wireString(user ?? '') };
  const answers = (await answersOf(why, asked)).filter(({ at }) => isWithin(at, session.openedAt, end.time));
  return {
    session,
    ended: {
      at: end.time,
      reason: end.facts['reason'] ?? '',
      lastedMs: numberIn(end.facts['lasted']),
      checks: numberIn(end.facts['checks']),
    },
    history: { lines: inOrder([...found.events.map(lineOf), ...answers]), complete: found.complete },
  };
}

/** As it was at its end; what its opening said of it too, where that is still known. */
function viewOfEnded(
  { edge, sessionId }: SessionName,
  events: readonly LifecycleEvent[],
  end: LifecycleEvent,
): SessionView {
  const facts: Record<string, string> = Object.assign({}, ...events.map((event) => event.facts));
  const { user = null, ip = '', channel = '', ua = '', host = '', path = '', dialect = '' } = facts;
  return {
    edge,
    session: readable(sessionId),
    user,
    namespace: facts['namespace'] ?? facts['backend'] ?? '',
    name: facts['name'] ?? user,
    channel,
    address: ip,
    userAgent: ua,
    host,
    path,
    dialect,
    backend: facts['backend'] ?? null,
    state: facts['state'] ?? '',
    source: facts['source'] ?? '',
    presence: facts['presence'] ?? '',
    openedAt: facts['openedAt'] ?? events[0]?.time ?? end.time,
    authorizedUntil: null,
    aliveUntil: end.time,
  };
}

function isWithin(at: string, from: string, to: string): boolean {
  return at >= timeText(Date.parse(from) - SLACK) && at <= timeText(Date.parse(to) + SLACK);
}

function numberIn(text = ''): number {
  return Math.max(0, Math.trunc(Number(text)) || 0);
}
