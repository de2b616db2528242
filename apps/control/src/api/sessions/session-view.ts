import { z } from 'zod';
import { readable, type Session } from '#usher/domain';
import { instantText, timeText } from '../endpoint/fields.js';

/** A session as it is sent. */
export const sessionView = z.strictObject({
  edge: z.string(),
  session: z.string().describe('The edge’s session id, or the derived one.'),
  user: z.string().nullable().describe('As the backend names him; null where it names nobody.'),
  namespace: z.string(),
  name: z.string().nullable().describe('To show: X-Session-Name, else the user.'),
  channel: z.string(),
  address: z.string(),
  userAgent: z.string(),
  host: z.string(),
  path: z.string(),
  dialect: z.string(),
  backend: z.string().nullable(),
  state: z.string().describe('active, on-trust, unconfirmed, revoked'),
  source: z.string().describe('The rung that let it in.'),
  presence: z.string().describe('seen (it asks), listed (its edge lists it), assumed (neither)'),
  openedAt: instantText,
  authorizedUntil: instantText.nullable().describe('null: as long as it lives.'),
  aliveUntil: instantText.describe('When it is taken for dead without a further sign of life.'),
});

export type SessionView = z.output<typeof sessionView>;

export function viewOf(session: Session): SessionView {
  return {
    edge: session.edge,
    session: readable(session.sessionId),
    user: readable(session.user) || null,
    namespace: session.namespace,
    name: readable(session.sessionName) || null,
    channel: readable(session.channel),
    address: readable(session.ip),
    userAgent: readable(session.userAgent),
    host: readable(session.host),
    path: readable(session.path),
    dialect: session.dialect,
    backend: session.backend || null,
    state: session.state,
    source: session.source,
    presence: session.presence,
    openedAt: timeText(session.openedAt),
    authorizedUntil: session.authorizedUntil === 0 ? null : timeText(session.authorizedUntil),
    aliveUntil: timeText(session.aliveUntil),
  };
}

export const SESSION_EXAMPLE: SessionView = {
  edge: 'astra-1',
  session: '42',
  user: '100500',
  namespace: 'portal',
  name: 'Anna',
  channel: 'a001',
  address: '192.0.2.7',
  userAgent: 'VLC/3.0',
  host: 'live.example.com',
  path: '/play/a001/index.m3u8',
  dialect: 'astra',
  backend: 'portal',
  state: 'active',
  source: 'backend',
  presence: 'listed',
  openedAt: '2026-01-31T18:00:00.000Z',
  authorizedUntil: null,
  aliveUntil: '2026-01-31T22:00:00.000Z',
};
