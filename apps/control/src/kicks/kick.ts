import type { Hold, Session, SessionName } from '#usher/domain';
import type { NewHold, SessionPage, SessionQuery } from '#usher/sessions';

/** A kick holds so long unless told otherwise, ms. */
export const KICK_HOLD = 60_000;
/** Sessions that are revoked side by side. */
const SIDE_BY_SIDE = 32;
/** Sessions of a page. */
const PAGE = 500;

/** Whose sessions end. */
export type KickTarget =
  | { readonly kind: 'session'; readonly edge: string; readonly sessionId: string }
  | { readonly kind: 'user'; readonly namespace: string; readonly user: string }
  | { readonly kind: 'channel'; readonly channel: string }
  | { readonly kind: 'address'; readonly ip: string }
  | { readonly kind: 'edge'; readonly edge: string };

export interface Kick {
  readonly target: KickTarget;
  /** Who wants it, and why. */
  readonly by: string;
  readonly reason: string;
  /** How long whoever is kicked may not return, ms; 0: not at all. */
  readonly holdFor: number;
}

/** What one page of a kick did. `cursor`: where the next one goes on. */
export interface KickedPage {
  readonly revoked: readonly Session[];
  readonly holds: readonly Hold[];
  readonly cursor?: string;
}

export interface KickParts {
  readonly list: (query: SessionQuery) => Promise<SessionPage>;
  readonly read: (name: SessionName) => Promise<Session | undefined>;
  /** Undefined where it is not there any more, or is another one's. */
  readonly revoke: (session: Session, reason: 'kicked') => Promise<Session | undefined>;
  readonly hold: (hold: NewHold) => Promise<Hold>;
  /** A kick refuses it already. */
  readonly isHeld: (session: Session) => boolean;
  /** More than one user showed the session's viewer key of late: a hotel, or boxes that are all alike. */
  readonly isShared: (session: Session) => Promise<boolean>;
}

/** Where a kick is: on which page, and whether it looks a second time. */
export interface KickPlace {
  readonly cursor?: string | undefined;
  /**
   * Looks for whom the first time missed: opened before this (cluster time, ms), when the kick began, or held by it since
   * and let in by a gateway that had not heard of it. Whoever else came since is a newcomer.
   */
  readonly missedSince?: number | undefined;
}

/**
 * Ends a page of sessions: first the hold that refuses the return, then the session is revoked, and every gateway forgets
 * it. That its edge is told to cut follows from the event of the revocation, whatever becomes of this process.
 * Rejects while Redis is away or late: what was not reached is still there.
 */
export async function kickPage(
  parts: KickParts,
  kick: Kick,
  { cursor, missedSince }: KickPlace = {},
): Promise<KickedPage> {
  const isFirst = cursor === undefined && missedSince === undefined;
  const holds = isFirst ? await holdTarget(parts, kick) : [];
  const page = await sessionsOf(parts, kick.target, cursor);
  const waiting = page.sessions.filter(
    (session) =>
      session.state !== 'revoked' &&
      (missedSince === undefined || session.openedAt <= missedSince || parts.isHeld(session)),
  );
  const revoked: Session[] = [];
  const next = async (): Promise<void> => {
    for (let session = waiting.pop(); session !== undefined; session = waiting.pop()) {
      const isHeld = missedSince !== undefined && parts.isHeld(session);
      const hold = isHeld ? undefined : await holdOn(parts, session, kick);
      if (hold !== undefined) holds.push(await parts.hold(hold));
      const ended = await parts.revoke(session, 'kicked');
      if (ended !== undefined) revoked.push(ended);
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, next));
  return { revoked, holds, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
}

/** A channel or an address is held as such: nobody who watches elsewhere is harmed, and who comes anew is held too. */
async function holdTarget(parts: KickParts, kick: Kick): Promise<Hold[]> {
  const { target, holdFor } = kick;
  if (holdFor === 0) return [];
  if (target.kind === 'channel') return [await parts.hold(newHold('channel', target.channel, kick))];
  if (target.kind === 'address') return [await parts.hold(newHold('address', target.ip, kick))];
  return [];
}

/**
 * User and viewer key, so that neither his other devices nor others behind his address are held; else the viewer key, if
 * one person is behind it.
 */
async function holdOn(parts: KickParts, session: Session, kick: Kick): Promise<NewHold | undefined> {
  const { target, holdFor } = kick;
  if (holdFor === 0 || target.kind === 'channel' || target.kind === 'address') return undefined;
  const { namespace, user, viewerKey } = session;
  if (user !== '') return newHold('user-viewer', `${namespace}/${user}/${viewerKey}`, kick);
  return (await parts.isShared(session)) ? undefined : newHold('viewer', viewerKey, kick);
}

function newHold(kind: NewHold['kind'], subject: string, { by, reason, holdFor }: Kick): NewHold {
  return { kind, subject, effect: 'refuse', origin: 'kick', by, reason, time: { lasts: holdFor } };
}

async function sessionsOf(parts: KickParts, target: KickTarget, cursor?: string): Promise<SessionPage> {
  const { list } = parts;
  const page = { limit: PAGE, cursor };
  switch (target.kind) {
    case 'session': {
      const session = await parts.read(target);
      return { sessions: session === undefined ? [] : [session] };
    }
    case 'user':
      return list({ ...page, user: { namespace: target.namespace, user: target.user } });
    case 'channel':
      return list({ ...page, channel: target.channel });
    case 'edge':
      return list({ ...page, edge: target.edge });
    case 'address':
      return list({ ...page, ip: target.ip });
  }
}
