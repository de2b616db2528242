import type { Session } from '#usher/domain';
import { boundName } from '../registry/session-names.js';
import type { ListedSession } from './listed-session.js';
import { addressOf } from './listed-session.js';

/** The edge's start of a session and our opening of it differ by no more, ms. */
const START_TOLERANCE = 3_000;

/** Which of ours are listed, and what worked to find that out. */
export interface Matches {
  readonly sessions: readonly Session[];
  /** The edge's id was the X-Session-ID of the check (that they are equal is UNVERIFIED). */
  readonly byId: number;
  /** Channel, address and start were those of one of our sessions. */
  readonly byFacts: number;
  /** Listed, and none of ours. */
  readonly foreign: number;
}

/** Finds each listed session among ours: by its id, unless channel or address contradict; else by these and its start. */
export function matchSessions(
  listed: readonly ListedSession[],
  ours: readonly Session[],
  now: number,
): Matches {
  const left = new Set(ours);
  const byName = new Map(ours.map((session) => [session.sessionId, session]));
  const matched: Session[] = [];
  const unmatched: ListedSession[] = [];
  const take = (session: Session): void => {
    left.delete(session);
    matched.push(session);
  };
  for (const one of listed) {
    const session = one.id === undefined ? undefined : byName.get(one.id);
    if (session !== undefined && left.has(session) && !contradicts(one, session)) take(session);
    else unmatched.push(one);
  }
  const byId = matched.length;
  const byPlace = groupByPlace(left);
  for (const one of unmatched) {
    const session = closest(one, byPlace.get(placeOf(one.channel, one.ip)) ?? [], left, now);
    if (session !== undefined) take(session);
  }
  return { sessions: matched, byId, byFacts: matched.length - byId, foreign: listed.length - matched.length };
}

/** Under which ids an edge's list may name a session. */
export interface Listed {
  /** By the session's own id, which nothing contradicts. */
  readonly same?: string;
  /** By channel, address and start, where the own id is not there. They may be other sessions' ids. */
  readonly alike: readonly string[];
}

/** Finds one of our sessions in its edge's list, in the ways of `matchSessions`. */
export function findListed(listed: readonly ListedSession[], session: Session, now: number): Listed {
  const same = listed.find((one) => one.id === session.sessionId && !contradicts(one, session));
  if (same !== undefined) return { same: same.id, alike: [] };
  const place = placeOf(session.channel, addressOf(session.ip));
  const alike = listed.filter(
    ({ channel, ip, uptime }) =>
      uptime !== undefined &&
      placeOf(channel, ip) === place &&
      Math.abs(session.openedAt - (now - uptime)) <= START_TOLERANCE,
  );
  return { alike: alike.map(({ id }) => id).filter((id) => id !== undefined) };
}

function contradicts(listed: ListedSession, session: Session): boolean {
  return (
    (listed.channel !== undefined &&
      session.channel !== '' &&
      boundName(listed.channel) !== session.channel) ||
    (listed.ip !== undefined && session.ip !== '' && listed.ip !== addressOf(session.ip))
  );
}

function groupByPlace(sessions: Iterable<Session>): Map<string, Session[]> {
  const groups = new Map<string, Session[]>();
  for (const session of sessions) {
    const place = placeOf(session.channel, addressOf(session.ip));
    const group = groups.get(place);
    if (group === undefined) groups.set(place, [session]);
    else group.push(session);
  }
  return groups;
}

function placeOf(channel: string | undefined, ip: string | undefined): string {
  return `${channel === undefined ? '' : boundName(channel)} ${ip ?? ''}`;
}

/** The one that started at the same time, within 3 s. Without an uptime there is no telling. */
function closest(
  listed: ListedSession,
  candidates: readonly Session[],
  left: ReadonlySet<Session>,
  now: number,
): Session | undefined {
  if (listed.uptime === undefined) return undefined;
  const startedAt = now - listed.uptime;
  let best: Session | undefined;
  let distance = START_TOLERANCE;
  for (const session of candidates) {
    const apart = Math.abs(session.openedAt - startedAt);
    if (!left.has(session) || apart > distance) continue;
    best = session;
    distance = apart;
  }
  return best;
}
