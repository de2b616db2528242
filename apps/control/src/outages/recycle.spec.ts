import type { Session, SessionState } from '#usher/domain';
import type { CutResult, OutageResult } from '#usher/sessions';
import { VirtualTime } from '#usher/testing';
import type { Loan } from './recheck.js';
import { recycleOutage } from './recycle.js';
import type { BackendNow, Earlier, Recycled, RecycleParts, Return, Viewer } from './recycle.js';

const NAME = { backend: 'portal', tail: '1' };
const CUT: CutResult = { kind: 'cut' };

const loans = (count: number): Loan[] =>
  Array.from({ length: count }, (_, i) => ({
    field: `t|${i}`,
    column: 'onTrust',
    session: { edge: 'astra-1', sessionId: String(i) },
    fingerprint: 'same',
  }));

const viewer = (viewerKey: string): Viewer => ({
  backend: 'portal',
  viewerKey,
  ip: '192.0.2.7',
  channel: 'a001',
});

interface Life {
  /** What becomes of a viewer who was cut, 3 s later; undefined: nobody sees him again. */
  readonly returns?: (sessionId: string) => Return | undefined;
  readonly edge?: (sessionId: string) => CutResult;
  readonly backend?: () => BackendNow;
  readonly state?: (sessionId: string) => SessionState | undefined;
}

/** Time passes by itself; two a second, unless told otherwise. */
function world({ returns = () => 'came-back', edge = () => CUT, backend = () => 'asked', state }: Life = {}) {
  const time = new VirtualTime();
  const results = new Map<string, OutageResult[]>();
  const cuts: { readonly id: string; readonly at: number }[] = [];
  const closed: string[] = [];
  const stops: string[] = [];
  const ended = new AbortController();
  const parts: RecycleParts = {
    clock: time.clock,
    random: () => 0.5,
    read: async ({ sessionId }) => {
      const now = state === undefined ? 'on-trust' : state(sessionId);
      return (
        now &&
        ({ ...viewer(sessionId), edge: 'astra-1', sessionId, fingerprint: 'same', state: now } as Session)
      );
    },
    cut: async ({ sessionId }) => {
      cuts.push({ id: sessionId, at: time.clock.monotonic() });
      return edge(sessionId);
    },
    close: async ({ sessionId }) => void closed.push(sessionId),
    backendNow: backend,
    returned: async ({ viewerKey: sessionId }, since) =>
      time.clock.now() - since >= 3_000 ? returns(sessionId) : undefined,
    pace: () => 2,
    note: async ({ field }, result) =>
      void results.set(field.slice(2), [...(results.get(field.slice(2)) ?? []), result]),
    stop: async (why) => void stops.push(why),
    signal: ended.signal,
    pause: time.pause,
  };
  const run = (count: number, more: Partial<RecycleParts> = {}, earlier: Earlier[] = []): Promise<Recycled> =>
    time.until(recycleOutage({ ...parts, ...more }, NAME, loans(count), earlier));
  const last = (result: OutageResult): number =>
    [...results.values()].filter((each) => each.at(-1) === result).length;
  return { time, parts, results, cuts, closed, stops, ended, run, last };
}

describe('having viewers come back who were let in on trust', () => {
  it('cuts each once, and says who came back, who was refused then, and who was not seen again', async () => {
    const fate: Record<string, Return | undefined> = { 0: 'refused', 1: undefined };
    const { run, results, closed, last } = world({ returns: (id) => (id in fate ? fate[id] : 'came-back') });
    expect(await run(150)).toEqual({ cut: 150, lost: 2 });
    expect(closed).toHaveLength(150);
    expect([last('came-back'), last('refused'), last('recycled')]).toEqual([148, 1, 1]);
    expect(results.get('0')).toEqual(['recycled', 'refused']);
  });

  it('never goes faster than its pace', async () => {
    const { run, cuts } = world();
    await run(300);
    const perSecond = new Map<number, number>();
    for (const { at } of cuts) {
      const second = Math.floor(at / 1_000);
      perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
    }
    expect(Math.max(...perSecond.values())).toBeLessThanOrEqual(3);
  });

  it('cuts ten first, and no more where most of them do not play again', async () => {
    const { run, cuts, last, stops } = world({
      returns: (id) => (Number(id) < 4 ? 'came-back' : undefined),
    });
    const { why } = await run(500);
    expect(why).toMatch(/^\d+ of the last \d+ did not play again$/);
    expect(stops).toContain(why);
    expect(cuts.length).toBeLessThanOrEqual(14);
    expect(last('not-checked')).toBe(500 - cuts.length);
  });

  it('stops after a hundred of whom more than 20 do not play again, refused or not seen', async () => {
    const lost = (id: string): boolean => Number(id) % 4 === 3;
    const { run, cuts } = world({
      returns: (id) => (lost(id) ? (Number(id) % 8 === 3 ? 'refused' : undefined) : 'came-back'),
    });
    const { why, lost: count } = await run(1_000);
    expect(why).toMatch(/^21 of the last \d+ did not play again$/);
    expect(count).toBeGreaterThanOrEqual(21);
    expect(cuts.length).toBeLessThanOrEqual(104);
  });

  it('stops later, too, where it was well at first', async () => {
    const { run, cuts } = world({ returns: (id) => (Number(id) < 400 ? 'came-back' : undefined) });
    expect((await run(2_000)).why).toContain('did not play again');
    // Those who were cut before the first of them was missed.
    expect(cuts.length).toBeLessThan(400 + 200);
  });

  describe('where an earlier control was killed', () => {
    /** Whom it cut, a second ago the first of them. */
    const earlier = (count: number, result: (id: number) => Earlier['result'], at: number): Earlier[] =>
      Array.from({ length: count }, (_, id) => ({
        loan: { field: `t|e${id}`, column: 'onTrust' },
        viewer: viewer(`e${id}`),
        at: at + id,
        result: result(id),
      }));

    it('says of those too who came back', async () => {
      const { run, last, results, time } = world({
        returns: (id) => (id === 'e3' ? 'refused' : 'came-back'),
      });
      const cut = earlier(8, () => 'recycled', time.clock.now() - 1_000);
      expect(await run(0, {}, cut)).toEqual({ cut: 8, lost: 1 });
      expect([last('came-back'), last('refused')]).toEqual([7, 1]);
      expect(results.get('e3')).toEqual(['refused']);
    });

    it('cuts nobody more before those ten were judged, and none at all where they were lost', async () => {
      const { run, cuts, last, time } = world({ returns: () => undefined });
      const cut = earlier(10, (id) => (id < 4 ? 'came-back' : 'recycled'), time.clock.now() - 30_000);
      expect((await run(50, {}, cut)).why).toBe('6 of the last 10 did not play again');
      expect(cuts).toEqual([]);
      expect(last('not-checked')).toBe(50);
    });

    it('counts on: two more are too many after nineteen that it lost', async () => {
      const life: Life = { returns: (id) => (Number(id) < 2 ? 'refused' : 'came-back') };
      const { run, cuts, time } = world(life);
      const cut = earlier(100, (id) => (id > 80 ? 'refused' : 'came-back'), time.clock.now() - 120_000);
      expect((await run(300, {}, cut)).why).toBe('21 of the last 100 did not play again');
      expect(cuts.length).toBeLessThan(30);
      expect((await world(life).run(300)).why).toBeUndefined();
    });
  });

  it('goes on only while the backend is asked: stops when it is suspended again, waits where that is not known', async () => {
    let asked = 0;
    const stopping = world({
      backend: () => ((asked += 1) > 40 ? { why: 'the backend is suspended again' } : 'asked'),
    });
    expect(await stopping.run(200)).toMatchObject({ why: 'the backend is suspended again' });
    expect(stopping.cuts.length).toBeLessThanOrEqual(41);
    expect(stopping.last('not-checked')).toBe(200 - stopping.cuts.length);

    let looks = 0;
    const waiting = world({ backend: () => ((looks += 1) < 50 ? 'unsure' : 'asked') });
    expect(await waiting.run(5)).toEqual({ cut: 5, lost: 0 });
    expect(waiting.cuts[0]!.at).toBeGreaterThan(10_000);
  });

  it('cuts nobody who is gone, was decided about meanwhile, or plays on for another reason', async () => {
    const states: Record<string, SessionState | undefined> = {
      0: undefined,
      1: 'revoked',
      2: 'active',
      3: 'unconfirmed',
    };
    const { run, results, cuts } = world({ state: (id) => states[id] });
    expect(await run(4)).toEqual({ cut: 0, lost: 0 });
    expect(Object.fromEntries(results)).toEqual({
      0: ['gone'],
      1: ['gone'],
      2: ['kept'],
      3: ['not-checkable'],
    });
    expect(cuts).toEqual([]);
  });

  it('leaves alone whom an edge does not cut, and refuses him nothing', async () => {
    const answers: Record<string, CutResult> = {
      0: { kind: 'gone' },
      1: { kind: 'cannot', detail: '' },
      2: { kind: 'failed', detail: '', retry: false },
      3: { kind: 'failed', detail: '', retry: true },
    };
    const { run, results, cuts, closed } = world({ edge: (id) => answers[id] ?? CUT });
    expect(await run(5)).toEqual({ cut: 1, lost: 0 });
    expect(['0', '1', '2', '3'].map((id) => results.get(id))).toEqual([
      ['gone'],
      ['not-checkable'],
      ['not-checkable'],
      ['not-checkable'],
    ]);
    expect(cuts.filter(({ id }) => id === '3')).toHaveLength(3);
    expect(closed).toEqual(['4']);
  });

  it('is broken off by the end of the process, and rejects where Redis goes away', async () => {
    const { parts, cuts, ended, time } = world({ backend: () => 'unsure' });
    const going = recycleOutage(parts, NAME, loans(3));
    ended.abort();
    expect(await time.until(going)).toEqual({ cut: 0, lost: 0 });
    expect(cuts).toEqual([]);
    const away = world();
    const close = (): Promise<never> => Promise.reject(new Error('Redis is away'));
    await expect(away.run(20, { close })).rejects.toThrow('Redis is away');
  });
});
