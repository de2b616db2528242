import { z } from 'zod';
import type { Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import type { Why } from '#usher/decisions';
import { eventsSince, type LifecycleEvent, type RedisSessionRegistry } from '#usher/sessions';
import { instantText, timeText } from '../endpoint/fields.js';

export const historyLine = z.strictObject({
  at: instantText,
  what: z
    .string()
    .describe('opened, updated, moved, revoked, not-cut, closed …; or answer: what its edge was told.'),
  says: z.string(),
  source: z.string().optional(),
  reason: z.string().optional(),
  times: z.int().optional().describe('How often the same answer was given, where this process knows.'),
});
export type HistoryLine = z.output<typeof historyLine>;

export interface History {
  /** The oldest first. */
  readonly lines: readonly HistoryLine[];
  /** False: there was more than could be looked through, or than is kept. */
  readonly complete: boolean;
}

const BEGAN = 'The session began.';
const MOVED = 'The session’s user became known.';
/** Why a session ended. */
const ENDED: Readonly<Record<string, string>> = {
  idle: 'it showed no sign of life',
  expired: 'its time was up',
  replaced: 'another viewer came under its id',
  evicted: 'another device of its user took its place',
  kicked: 'an operator ended it',
  'closed-by-edge': 'its edge said so',
  'edge-restarted': 'its edge started anew',
  recycled: 'after an outage its viewer was to be asked about anew',
  'denied-on-recheck': 'the backend refused it when it was asked again',
};

/** What is known of a session that lives: its events, and the answers that its edge got. Rejects as Redis does. */
export async function historyOf(
  redis: RedisClient,
  registry: Pick<RedisSessionRegistry, 'shardOf'>,
  why: Why,
  session: Session,
): Promise<History> {
  // Before its user was known it was in another one.
  const shards = new Set([registry.shardOf(session), registry.shardOf({ ...session, user: '' })]);
  const [{ events, complete }, answers] = await Promise.all([
    eventsSince(redis, [...shards], session, session.openedAt),
    answersOf(why, session),
  ]);
  return { lines: inOrder([...events.map(lineOf), ...answers]), complete };
}

export function inOrder(lines: readonly HistoryLine[]): HistoryLine[] {
  return [...lines].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** Whose answers: byte strings. */
type Asked = Pick<Session, 'edge' | 'sessionId' | 'ip' | 'namespace' | 'user'>;

/** What the edge of a session was told of it, as far as it is remembered. */
export async function answersOf(
  why: Why,
  { edge, sessionId, ip, namespace, user }: Asked,
): Promise<HistoryLine[]> {
  const found = await Promise.all([why.byAddress(ip), ...(user === '' ? [] : [why.byUser(namespace, user)])]);
  const byId = new Map(found.flatMap(({ answers }) => answers).map((answer) => [answer.id, answer]));
  return [...byId.values()]
    .filter((answer) => answer.edge === edge && answer.session === sessionId)
    .map(({ at, sentence, source, reason, repeats }) => ({
      at: timeText(at),
      what: 'answer',
      says: sentence,
      source,
      reason,
      ...(repeats > 0 ? { times: repeats + 1 } : {}),
    }));
}

export function lineOf({ type, time, facts }: LifecycleEvent): HistoryLine {
  const what = type.replace('session.', '');
  const { reason, source } = facts;
  return {
    at: time,
    what,
    says: sentenceOf(what, facts),
    ...(source === undefined ? {} : { source }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function sentenceOf(what: string, { reason = '', ...facts }: LifecycleEvent['facts']): string {
  switch (what) {
    case 'opened':
      return BEGAN;
    case 'moved':
      return MOVED;
    case 'updated':
      return changeOf(facts);
    case 'revoked':
      return `The session may not go on: ${ENDED[reason] ?? reason}.`;
    case 'not-cut':
      return `Its edge did not cut the session: ${facts['detail'] ?? ''}`;
    case 'closed':
      return `The session ended: ${ENDED[reason] ?? reason}.`;
    default:
      return what;
  }
}

/** What changed, from what to what. */
function changeOf(facts: LifecycleEvent['facts']): string {
  const names = (facts['changed'] ?? '').split(',').filter(Boolean);
  const changes = names.map((name) => {
    const before = facts[`${name}Before`];
    return `${name} ${before === undefined ? '' : `${before} → `}${facts[name] ?? 'none'}`;
  });
  return `The session goes on otherwise: ${changes.join(', ')}.`;
}
