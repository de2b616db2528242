import type { Decision, Session, Source } from '#usher/domain';
import { ManualClock } from '#usher/testing';
import { KeptDecisions } from './kept-decisions.js';

const clock = new ManualClock();

function keep(
  kept: KeptDecisions,
  name: string,
  backend: string,
  source: Source,
  standIn = true,
  userAgent = '',
): void {
  const decision: Decision = { allow: true, source, reason: 'on-trust', backend };
  const words = { channel: '', path: '', host: '', userAgent };
  const session = { edge: 'astra-1', sessionId: name, backend, source, aliveUntil: 0, ...words } as Session;
  const until = clock.monotonic() + 60_000;
  kept.keep({
    name,
    fingerprint: 'f',
    decision,
    session,
    standIn,
    until,
    generation: 0,
    version: 0,
    checks: 0,
  });
}

describe('the counts of what is kept', () => {
  it('go by backend and by what a session rests on', () => {
    const kept = new KeptDecisions(clock, 100);
    keep(kept, '1', 'portal', 'backend', false);
    keep(kept, '2', 'portal', 'stale');
    keep(kept, '3', 'portal', 'known');
    keep(kept, '4', 'portal', 'fail-open');
    keep(kept, '5', 'portal', 'overload');
    keep(kept, '6', 'billing', 'direct', false);
    expect(kept.counts.get('portal')).toEqual({ decided: 1, carried: 1, known: 1, onTrust: 2 });
    expect(kept.counts.get('billing')).toEqual({ decided: 1, carried: 0, known: 0, onTrust: 0 });
  });

  it('follow what is replaced, pushed out and dropped', () => {
    const kept = new KeptDecisions(clock, 2);
    keep(kept, '1', 'portal', 'fail-open');
    keep(kept, '1', 'portal', 'backend', false);
    expect(kept.counts.get('portal')).toMatchObject({ decided: 1, onTrust: 0 });
    keep(kept, '2', 'portal', 'known');
    keep(kept, '3', 'portal', 'fail-open');
    expect(kept.counts.get('portal')).toMatchObject({ decided: 0, known: 1, onTrust: 1 });
    kept.dropStandIns('portal');
    expect(kept.counts.get('portal')).toEqual({ decided: 0, carried: 0, known: 0, onTrust: 0 });
  });
});

it('sessions of long words fill no memory: fewer of them are kept', () => {
  const kept = new KeptDecisions(clock, 100);
  for (let i = 0; i < 100; i += 1) keep(kept, `${i}`, 'portal', 'fail-open');
  expect(kept.size).toBe(100);
  for (let i = 0; i < 100; i += 1) keep(kept, `${i}`, 'portal', 'fail-open', true, 'x'.repeat(8_192));
  expect(kept.size).toBeLessThan(20);
  expect(kept.counts.get('portal')!.onTrust).toBe(kept.size);
});

describe('a session that went idle', () => {
  it('is nobody who watches, and its decision stands, once the registry was asked', () => {
    const kept = new KeptDecisions(clock, 100);
    keep(kept, 'astra-1/1', 'portal', 'backend', false);
    for (let times = 0; times < 2; times += 1) kept.idled('astra-1', '1');
    kept.idled('astra-1', 'unknown');
    expect(kept.counts.get('portal')).toMatchObject({ decided: 0 });
    const mine = kept.find('astra-1/1', 'f')!;
    expect(kept.isCurrent(mine)).toBe(false);
    expect(kept.sessionNamed('astra-1', '1')).toBeDefined();
    keep(kept, 'astra-1/1', 'portal', 'backend', false);
    expect(kept.counts.get('portal')).toMatchObject({ decided: 1 });
    expect(kept.isCurrent(kept.find('astra-1/1', 'f')!)).toBe(true);
  });

  it('is counted rightly when it is dropped, carried or pushed out', () => {
    const kept = new KeptDecisions(clock, 1);
    keep(kept, 'astra-1/1', 'portal', 'stale');
    kept.idled('astra-1', '1');
    kept.dropStandIns('portal');
    expect(kept.counts.get('portal')).toEqual({ decided: 0, carried: 0, known: 0, onTrust: 0 });
    keep(kept, 'astra-1/2', 'portal', 'backend', false);
    expect(kept.counts.get('portal')).toEqual({ decided: 1, carried: 0, known: 0, onTrust: 0 });
  });
});

it('a session that is offered back is alive by its last sign of life, not only by its opening', () => {
  const kept = new KeptDecisions(clock, 100);
  keep(kept, 'astra-1/1', 'portal', 'backend', false);
  keep(kept, 'astra-1/2', 'portal', 'backend', false);
  kept.note(kept.find('astra-1/1', 'f')!);
  const lifeOf = () => 240_000;
  expect(kept.takeSeen({ lifeOf })).toMatchObject([{ checks: 1, aliveUntil: clock.now() + 240_000 }]);
  expect(kept.takeSeen({ lifeOf })).toEqual([]);
  const alive = Array.from(kept.sessions(), ({ sessionId, aliveUntil }) => [sessionId, aliveUntil]);
  expect(new Map(alive as [string, number][])).toEqual(
    new Map([
      ['astra-1/1', clock.now() + 240_000],
      ['astra-1/2', 0],
    ]),
  );
});

describe('what is no longer kept', () => {
  it.each(['pushed out', 'replaced', 'dropped'] as const)('answers nothing where it was %s', (how) => {
    const kept = new KeptDecisions(clock, 1);
    keep(kept, '1', 'portal', 'backend', false);
    const held = kept.find('1', 'f')!;
    expect(kept.isFresh(held)).toBe(true);
    if (how === 'dropped') kept.drop('1');
    else keep(kept, how === 'replaced' ? '1' : '2', 'portal', 'backend', false);
    expect(kept.isFresh(held)).toBe(false);
  });

  it('after an outage: who was carried is asked about, and still known as allowed once', () => {
    const kept = new KeptDecisions(clock, 100);
    keep(kept, 'carried', 'portal', 'stale');
    keep(kept, 'trusted', 'portal', 'fail-open');
    keep(kept, 'other', 'billing', 'stale');
    kept.dropStandIns('portal');
    expect(kept.find('trusted', 'f')).toBeUndefined();
    const carried = kept.find('carried', 'f')!;
    expect(kept.isFresh(carried)).toBe(false);
    expect(carried.session).toMatchObject({ state: 'unconfirmed' });
    expect(kept.isFresh(kept.find('other', 'f')!)).toBe(true);
    expect(kept.counts.get('portal')).toEqual({ decided: 1, carried: 0, known: 0, onTrust: 0 });
  });
});

it('all that holds is offered back, though entries come and go meanwhile', () => {
  const kept = new KeptDecisions(clock, 100);
  const names = Array.from({ length: 10 }, (_, i) => String(i));
  for (const name of names) keep(kept, name, 'portal', 'backend', false);
  const offered: string[] = [];
  for (const { sessionId } of kept.sessions()) {
    if (offered.push(sessionId) === 1) for (const name of ['9', '8', '7']) kept.drop(name);
  }
  expect(offered).toEqual(expect.arrayContaining(names.slice(0, 7)));
});
