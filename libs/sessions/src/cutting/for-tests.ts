import type { Session } from '#usher/domain';

export const OPENED_AT = 1_790_000_000_000;

/** A viewer on an Astra. */
export function aSession(facts: Partial<Session> = {}): Session {
  return {
    edge: 'astra-1',
    sessionId: '42',
    fingerprint: 'f42',
    viewerKey: 'v42',
    channel: 'a001',
    ip: '192.0.2.7',
    userAgent: 'MAG250',
    host: '',
    path: '/a001',
    dialect: 'astra',
    backend: 'portal',
    namespace: 'portal',
    user: '100500',
    sessionName: '',
    state: 'active',
    source: 'backend',
    presence: 'listed',
    openedAt: OPENED_AT,
    authorizedUntil: 0,
    aliveUntil: OPENED_AT + 3_600_000,
    ...facts,
  };
}

/** Nobody ends the call early. */
export const patient = new AbortController().signal;
