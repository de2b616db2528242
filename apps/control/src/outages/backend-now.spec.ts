import type { GateStatus } from '#usher/backends';
import type { ClusterNode } from '#usher/node';
import { backendNow } from './backend-now.js';

/** What a node knows of its backend: by default that it is well. */
function nodeOf(status: Partial<GateStatus> = {}, switched?: object) {
  const known = { state: 'closed', since: 1, alone: false, ...status };
  const gates = { gates: new Map([['portal', { status: () => known }]]) };
  return { gates, switches: { ofBackend: () => switched } } as unknown as Pick<
    ClusterNode,
    'gates' | 'switches'
  >;
}

describe('whether a backend is asked about those who were let in', () => {
  it('is, where it is well', () => {
    expect(backendNow(nodeOf(), 'portal')).toBe('asked');
  });

  it('cannot be known without Redis, or of one that is no longer configured', () => {
    expect(backendNow(nodeOf({ alone: true }), 'portal')).toBe('unsure');
    expect(backendNow(nodeOf(), 'gone')).toBe('unsure');
  });

  it('is not while it is suspended, half-open or ramping up', () => {
    for (const state of ['suspended', 'half-open', 'ramping'] as const) {
      expect(backendNow(nodeOf({ state }), 'portal')).toEqual({ why: 'the backend is suspended again' });
    }
  });

  it('is not while an operator has switched it', () => {
    const found = backendNow(nodeOf({}, { do: 'maintenance' }), 'portal');
    expect(found).toEqual({ why: 'an operator keeps the backend from being asked' });
  });

  it('is not while its answers are unlike it, whatever the policy of the guard', () => {
    const suspicion = { kind: 'known-denied', percent: 60, usualPercent: 1, answers: 90, since: 1 } as const;
    expect(backendNow(nodeOf({ suspicion }), 'portal')).toEqual({
      why: 'the backend answers unlike itself',
    });
  });
});
