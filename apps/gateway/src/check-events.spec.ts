import type { Check, Decision } from '#usher/domain';
import type { EventFacts } from '#usher/sessions';
import { ManualClock } from '#usher/testing';
import { checkEvents } from './check-events.js';

const check: Check = {
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId: '42',
  sessionGiven: true,
  channel: 'a001',
  ip: '192.0.2.7',
  path: '/play/a001/index.m3u8',
  userAgent: 'VLC/3',
  host: 'live.example.com',
  origin: '',
  query: 'token=secret-1',
};
const denied: Decision = {
  allow: false,
  source: 'backend',
  reason: 'backend-denied',
  backend: 'portal',
  status: 403,
};

function world() {
  const clock = new ManualClock();
  const told: [type: string, about: string, facts: EventFacts][] = [];
  const note = checkEvents({ tell: async (...event) => void told.push(event) }, clock);
  return { clock, told, note };
}

describe('events of checks', () => {
  it('tell a denial, and who was let in on trust and why; never a plain allow, never the query', () => {
    const { told, note } = world();
    note(check, { decision: denied });
    note(check, { decision: { allow: true, source: 'backend', reason: 'backend-allowed' } });
    const trusted = { allow: true, source: 'fail-open', reason: 'on-trust', because: 'backend' } as const;
    const answer = {
      kind: 'unavailable',
      backend: 'portal',
      because: 'backend',
      tookMs: 1,
      detail: '',
    } as const;
    note(check, { decision: trusted, answer: { ...answer, reason: 'backend-timeout' } });
    expect(told.map(([type, about]) => [type, about])).toEqual([
      ['check.denied', 'astra-1/42'],
      ['check.trusted', 'astra-1/42'],
    ]);
    expect(told[0]![2]).toMatchObject({ ip: '192.0.2.7', reason: 'backend-denied', status: 403 });
    expect(told[1]![2]).toMatchObject({ source: 'fail-open', because: 'backend', cause: 'backend-timeout' });
    expect(JSON.stringify(told)).not.toContain('secret-1');
  });

  it('are one per address and reason in 10 s; the next one says how many were left out', () => {
    const { clock, told, note } = world();
    for (let i = 0; i < 50; i += 1) note(check, { decision: denied });
    note({ ...check, ip: '192.0.2.8' }, { decision: denied });
    clock.advance(10_000);
    note(check, { decision: denied });
    expect(told.map(([, , { ip, suppressed }]) => [ip, suppressed])).toEqual([
      ['192.0.2.7', undefined],
      ['192.0.2.8', undefined],
      ['192.0.2.7', 49],
    ]);
  });
});
