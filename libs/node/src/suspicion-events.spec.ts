import type { ShareSuspicion } from '#usher/backends';
import type { EventFacts } from '#usher/sessions';
import { ManualClock } from '#usher/testing';
import { suspicionEvents, tellSuspicion } from './suspicion-events.js';

const SUSPICION: ShareSuspicion = {
  kind: 'known-denied',
  percent: 99.6,
  usualPercent: 1.2,
  answers: 80,
  since: 1_000.4,
};

function listening() {
  const clock = new ManualClock();
  const told: string[] = [];
  const facts: EventFacts[] = [];
  const events = {
    tell: async (type: string, about: string, fact: EventFacts) => {
      told.push(`${type} ${about}`);
      facts.push(fact);
    },
  };
  return { clock, told, facts, parts: { events, clock, by: 'node-1' } };
}

describe('what a guard suspects', () => {
  it('is told as an event once a minute for each backend, and its end where its beginning was', () => {
    const { clock, told, facts, parts } = listening();
    const tell = suspicionEvents(parts);
    tell('portal', SUSPICION);
    tell('billing', SUSPICION);
    tell('portal', undefined);
    clock.advance(59_999);
    tell('portal', SUSPICION);
    tell('portal', undefined);
    clock.advance(1);
    tell('portal', SUSPICION);
    expect(told).toEqual([
      'backend.suspicious portal',
      'backend.suspicious billing',
      'backend.trusted-again portal',
      'backend.suspicious portal',
    ]);
    expect(facts[0]).toEqual({
      backend: 'portal',
      seenBy: 'guard',
      kind: 'known-denied',
      percent: 100,
      usual: 1,
      answers: 80,
      since: 1_000,
      by: 'node-1',
    });
    expect(facts[2]).toEqual({ backend: 'portal', seenBy: 'guard', by: 'node-1' });
  });
});

it('what canaries show is told with which are wrong', async () => {
  const { facts, parts } = listening();
  const wrong = ['allow', 'deny'] as const;
  const suspicion = { kind: 'canary', wrong, proven: ['deny'], since: 5.5, until: 9 } as const;
  await tellSuspicion(parts, 'canaries', 'portal', suspicion);
  expect(facts).toEqual([
    {
      backend: 'portal',
      seenBy: 'canaries',
      kind: 'canary',
      wrong: 'allow deny',
      proven: 'deny',
      since: 6,
      by: 'node-1',
    },
  ]);
});
