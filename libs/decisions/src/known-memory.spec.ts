import type { KnownViewer } from '#usher/domain';
import { ManualClock } from '#usher/testing';
import { KnownMemory } from './known-memory.js';

const HOUR = 3_600_000;

function memoryOf() {
  const clock = new ManualClock();
  const cluster = {
    find: async (): Promise<KnownViewer | undefined> => undefined,
    remember: async () => undefined,
  };
  const known = new KnownMemory(clock, cluster, 24 * HOUR, 100);
  const allow = (viewerKey: string) =>
    known.rememberHere('portal', viewerKey, `fingerprint-of-${viewerKey}`, {
      user: viewerKey,
      sessionName: '',
      authorizedUntil: 0,
    });
  return { clock, known, allow };
}

describe('known viewers that are offered back to Redis', () => {
  it('are those allowed since a time: for Redis an offer is as good as an allow of now', () => {
    const { clock, known, allow } = memoryOf();
    allow('early');
    clock.advance(HOUR);
    const since = clock.now();
    allow('late');
    const offered = (from?: number) => [...known.grants(from)].map(({ viewerKey }) => viewerKey).sort();
    expect(offered()).toEqual(['early', 'late']);
    expect(offered(since)).toEqual(['late']);
  });

  it('are all of them, though others are asked about meanwhile', () => {
    const { known, allow } = memoryOf();
    const keys = Array.from({ length: 20 }, (_, i) => `v${i}`);
    keys.forEach(allow);
    const offered: string[] = [];
    for (const { viewerKey } of known.grants()) {
      offered.push(viewerKey);
      if (offered.length < 200) known.isKnown('portal', viewerKey);
    }
    expect(offered.toSorted()).toEqual(keys.toSorted());
  });
});

describe('a known viewer who is refused', () => {
  it('is forgotten as the user who is refused, unless he was allowed since', () => {
    const { clock, known, allow } = memoryOf();
    allow('anna');
    const at = clock.now();
    known.forgetViewer('portal', 'anna', 'bob', at);
    known.forgetViewer('billing', 'anna', 'anna', at);
    expect(known.isKnown('portal', 'anna')).toBe(true);
    known.forgetViewer('portal', 'anna', 'anna', at);
    expect(known.isKnown('portal', 'anna')).toBe(false);
    clock.advance(1);
    allow('anna');
    known.forgetViewer('portal', 'anna', 'anna', at);
    expect(known.isKnown('portal', 'anna')).toBe(true);
  });
});
