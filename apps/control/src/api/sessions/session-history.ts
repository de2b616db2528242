import { z } from 'zod';
import type { Session } from '#usher/domain';
import { encodeName, eventsKey, type RedisClient } from '#usher/redis';
import type { Why } from '#usher/decisions';
import { instantText, timeText } from '../endpoint/fields.js';

/** Events looked through, at most. */
const LOOK = 2_000;
const AT_ONCE = 500;
/** Events are written by Redis' clock, a session's time is its gateway's: so much may be between them, ms. */
const SLACK = 5_000;

export const historyLine = z.strictObject({
  at: instantText,
  what: z.string().describe('opened, closed, moved; or answer: what its edge was told.'),
  says: z.string(),
  source: z.string().optional(),
  reason: z.string().optional(),
  times: z.int().optional().describe('How often the same answer was given, where this process knows.'),
});
export type HistoryLine = z.output<typeof historyLine>;

export interface History {
  /** The oldest first. */
  readonly lines: readonly HistoryLine[];
  /** False: there was more than could be looked through. */
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

/** What is known of a session: its events, and the answers that its edge got. Rejects as Redis does. */
export async function historyOf(
  redis: RedisClient,
  why: Why,
  session: Session,
  shard: string,
): Promise<History> {
  const [events, answers] = await Promise.all([eventsOf(redis, session, shard), answersOf(why, session)]);
  const lines = [...events.lines, ...answers].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { lines, complete: events.complete };
}

async function answersOf(why: Why, session: Session): Promise<HistoryLine[]> {
  const { edge, sessionId, ip, namespace, user } = session;
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

/** From the shard's stream, back to the beginning of the session. */
async function eventsOf(redis: RedisClient, session: Session, shard: string): Promise<History> {
  const member = `${encodeName(session.edge)}:${encodeName(session.sessionId)}`;
  const since = String(Math.max(0, Math.floor(session.openedAt - SLACK)));
  const lines: HistoryLine[] = [];
  let to = '+';
  for (let looked = 0; looked < LOOK; looked += AT_ONCE) {
    const args = [eventsKey(shard), to, since, 'COUNT', AT_ONCE];
    const entries = (await redis.call('XREVRANGE', args)) as [string, string[]][];
    for (const [id, fields] of entries) {
      to = `(${id}`;
      const event = readEvent(fields);
      if (event['session'] === member) lines.push(lineOf(event));
    }
    if (entries.length < AT_ONCE) return { lines, complete: true };
  }
  return { lines, complete: false };
}

function readEvent(fields: readonly string[]): Record<string, string> {
  const event: Record<string, string> = {};
  for (let i = 0; i + 1 < fields.length; i += 2) event[fields[i]!] = fields[i + 1]!;
  return event;
}

function lineOf(event: Record<string, string>): HistoryLine {
  const what = (event['type'] ?? '').replace('session.', '');
  const { reason, source } = event;
  const at = Number(event['at']);
  return {
    at: timeText(Number.isFinite(at) ? at : 0),
    what,
    says: sentenceOf(what, reason),
    ...(source === undefined ? {} : { source }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function sentenceOf(what: string, reason = ''): string {
  if (what === 'opened') return BEGAN;
  if (what === 'moved') return MOVED;
  return what === 'closed' ? `The session ended: ${ENDED[reason] ?? reason}.` : what;
}
