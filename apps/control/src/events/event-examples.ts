/** Facts of one event of each type, for docs/events.md. Times are of one evening. */
const AT = '2026-05-17T20:15:00.123Z';
const UNTIL = '2026-05-17T21:15:00.000Z';

const session = {
  namespace: 'portal',
  user: '100500',
  channel: 'a001',
  ip: '192.0.2.7',
  backend: 'portal',
  source: 'backend',
  state: 'active',
  presence: 'assumed',
  openedAt: AT,
};
const check = { id: 'k3v9x1', channel: 'a001', ip: '192.0.2.7', backend: 'portal' };
const breaker = { backend: 'portal', since: AT, downSince: AT, by: '0d46d97d06ec' };
const outage = { backend: 'portal', outage: 'portal@1779048900123', fault: 'backend', suspended: 'yes' };

export const EXAMPLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'session.opened': {
    ...session,
    ua: 'VLC/3.0',
    host: 'live.example.com',
    path: '/play/a001/index.m3u8',
    dialect: 'astra',
  },
  'session.closed': {
    reason: 'closed-by-edge',
    ...session,
    presence: 'listed',
    lasted: '5400000',
    checks: '31',
  },
  'session.moved': { reason: 'moved', channel: 'a001', ip: '192.0.2.7', state: 'on-trust', openedAt: AT },
  'session.revoked': { reason: 'kicked', by: 'anna', ...session, state: 'revoked' },
  'limit.reached': {
    namespace: 'portal',
    user: '100500',
    outcome: 'refused',
    mode: 'enforce',
    policy: 'deny-new',
    cap: '3',
    devices: '3',
  },
  'protection.tripped': {
    measure: 'deniedTokens',
    kind: 'address',
    subject: '192.0.2.7',
    count: '41',
    limit: '40',
    result: 'held',
    edge: 'astra-1',
    channel: 'a001',
    ip: '192.0.2.7',
  },
  'check.denied': { ...check, source: 'backend', reason: 'backend-denied', status: '403', suppressed: '4' },
  'check.trusted': {
    ...check,
    source: 'fail-open',
    reason: 'on-trust',
    because: 'backend',
    cause: 'backend-timeout',
  },
  'breaker.suspended': breaker,
  'breaker.half-open': breaker,
  'breaker.ramping': breaker,
  'breaker.closed': { backend: 'portal', since: AT, by: '0d46d97d06ec' },
  'backend.suspicious': {
    backend: 'portal',
    seenBy: 'canaries',
    kind: 'canary',
    wrong: 'deny',
    proven: 'deny',
    since: AT,
    by: '0d46d97d06ec',
  },
  'backend.trusted-again': { backend: 'portal', seenBy: 'canaries', by: '0d46d97d06ec' },
  'outage.started': { ...outage, since: AT },
  'outage.expiring': { ...outage, limit: 'time' },
  'outage.expired': { ...outage, limit: 'time' },
  'outage.ended': { ...outage, since: AT, until: UNTIL, carried: '812', known: '64', onTrust: '3' },
  'outage.settled': { ...outage, asked: '3', refused: '1' },
  'outage.cut-stopped': { ...outage, asked: '100', refused: '31' },
  'hold.set': {
    kind: 'user',
    subject: 'portal/100500',
    effect: 'refuse',
    until: UNTIL,
    origin: 'hand',
    by: 'anna',
    reason: 'shared account',
  },
  'hold.lifted': { kind: 'user', subject: 'portal/100500', by: 'anna', reason: 'paid' },
  'switch.set': {
    kind: 'backend',
    name: 'portal',
    mode: 'maintenance',
    until: UNTIL,
    by: 'anna',
    reason: 'a new disk',
  },
  'switch.lifted': { kind: 'backend', name: 'portal', by: 'anna', reason: 'done' },
};
