import type { Settled } from '#usher/decisions';
import type { AllowAnswer, Decision, Session } from '#usher/domain';
import { edgeTtl, grantedTtl } from './edge-ttl.js';

const TTLS = { grace: 60_000, denial: 10_000 };
const NOW = 1_000_000;
const TTL = 180_000;

const allowed: Decision = { allow: true, source: 'backend', reason: 'backend-allowed' };
const denied: Decision = { allow: false, source: 'backend', reason: 'backend-denied' };
const onTrust: Decision = { allow: true, source: 'fail-open', reason: 'on-trust', because: 'backend' };
const answer: AllowAnswer = {
  kind: 'allow',
  backend: 'b',
  reason: 'backend-allowed',
  status: 200,
  tookMs: 1,
};

/** By its fingerprint a viewer is told the whole time, or up to a tenth less. */
const WHOLE = 'a'.repeat(26);
const SHORTEST = '7'.repeat(26);

const settled = (decision: Decision, left?: number, said?: AllowAnswer, fingerprint = WHOLE): Settled => ({
  decision,
  ...(said === undefined ? {} : { answer: said }),
  ...(left === undefined
    ? {}
    : {
        kept: {
          name: 'e/1',
          fingerprint,
          decision,
          session: undefined,
          standIn: false,
          until: NOW + left,
          generation: 0,
          version: 0,
          checks: 0,
        },
      }),
});

describe('an edge that asks again is told to', () => {
  it.each<[string, Settled, number]>([
    ['after its own ttl, where the decision holds for longer', settled(allowed, 36_000_000), 180],
    ['after its own ttl, where it holds for as long as the session lives', settled(allowed, Infinity), 180],
    ['when the time is up', settled(allowed, 42_900), 42],
    ['never sooner than in 5 s', settled(allowed, 300), 5],
    ['never sooner than in 5 s, though the time is up', settled(allowed, -4_000), 5],
    ['after its own ttl, where nothing is kept', settled(allowed), 180],
    ['after grace, where nobody could be asked', settled(onTrust, 3_600_000), 60],
    ['soon after a denial', settled(denied), 10],
    ['soon after a denial that is kept for longer', settled(denied, 3_600_000), 10],
  ])('%s', (_, given, seconds) => {
    expect(edgeTtl(given, TTL, NOW, TTLS)).toBe(seconds);
  });

  it('within 3 min, however long its own ttl, the time that is left, grace and the denial’s are', () => {
    const hours = { grace: 36_000_000, denial: 36_000_000 };
    for (const given of [settled(allowed, 36_000_000), settled(onTrust, 36_000_000), settled(denied)]) {
      expect(edgeTtl(given, 36_000_000, NOW, hours)).toBe(180);
    }
  });

  it('up to a tenth sooner than others, unless the decision is over sooner, and the same each time', () => {
    const after = (decision: Decision, left: number): number | undefined =>
      edgeTtl(settled(decision, left, undefined, SHORTEST), TTL, NOW, TTLS);
    expect(after(allowed, Infinity)).toBe(162);
    expect(after(allowed, Infinity)).toBe(162);
    expect(after(allowed, 36_000_000)).toBe(162);
    expect(after(allowed, 171_000)).toBe(171);
    expect(after(onTrust, 57_000)).toBe(57);
  });

  it('not sooner than a denial is over: asked before, we would say it once more', () => {
    expect(edgeTtl(settled(denied, 10_000, undefined, SHORTEST), TTL, NOW, TTLS)).toBe(10);
    expect(edgeTtl(settled(denied), TTL, NOW, TTLS)).toBe(10);
  });

  it('after its own ttl, whatever is configured for others', () => {
    expect(edgeTtl(settled(allowed, Infinity), 30_000, NOW, TTLS)).toBe(30);
    expect(edgeTtl(settled(denied), 7_000, NOW, TTLS)).toBe(7);
  });
});

describe('in mode observe an edge is told', () => {
  const verbatim = (decision: Decision) => ({ ...decision, verbatim: true });
  it('what the backend says, though it is long', () => {
    const said = { ...answer, authDuration: 36_000 };
    expect(edgeTtl(settled(verbatim(allowed), undefined, said), TTL, NOW, TTLS)).toBe(36_000);
  });

  it('nothing where the backend says nothing', () => {
    expect(edgeTtl(settled(verbatim(allowed), undefined, answer), TTL, NOW, TTLS)).toBeUndefined();
    expect(edgeTtl(settled(verbatim(denied)), TTL, NOW, TTLS)).toBeUndefined();
  });
});

describe('an edge that ends a session by itself is told', () => {
  const active = { state: 'active', source: 'backend' } as Session;
  const kept = (decision: Decision, left: number, session: Session = active): Settled => {
    const given = settled(decision, left);
    return { ...given, kept: { ...given.kept!, session } };
  };
  const hold = { effect: 'pass' } as Decision['hold'];

  it.each<[string, Settled, number | undefined]>([
    ['what is left of the time that the backend gave', kept(allowed, 35_999_900), 36_000],
    ['a second, where nothing is left of it', kept(allowed, -5_000), 1],
    ['nothing, where the backend gave no time', kept(allowed, Infinity), undefined],
    ['nothing of a stand-in', kept(onTrust, 60_000), undefined],
    ['nothing of a hold', kept({ ...allowed, source: 'hold', hold }, 60_000), undefined],
    [
      'nothing of what could not be asked about again',
      kept({ ...allowed, source: 'session' }, 60_000, { ...active, state: 'unconfirmed' }),
      undefined,
    ],
    ['nothing of a rule’s time', kept(allowed, 60_000, { ...active, source: 'rule' }), undefined],
    ['nothing of a denial', settled(denied, 10_000), undefined],
    [
      'in mode observe, what the backend said',
      settled({ ...allowed, verbatim: true }, undefined, { ...answer, authDuration: 42 }),
      42,
    ],
  ])('%s', (_, given, seconds) => {
    expect(grantedTtl(given, NOW)).toBe(seconds);
  });
});
