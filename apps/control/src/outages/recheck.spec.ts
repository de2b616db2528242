import type { BackendAnswer, Check, Session } from '#usher/domain';
import type { OutageResult } from '#usher/sessions';
import { VirtualTime } from '#usher/testing';
import { recheckOutage, type Begun, type Loan, type RecheckParts } from './recheck.js';

const NAME = { backend: 'portal', tail: '1' };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };
const base = { backend: 'portal', tookMs: 1, status: 200 } as const;
const ALLOW: BackendAnswer = { ...base, kind: 'allow', reason: 'backend-allowed' };
const DENY: BackendAnswer = { ...base, kind: 'deny', reason: 'backend-denied', status: 403 };
const AWAY: BackendAnswer = {
  ...base,
  kind: 'unavailable',
  because: 'backend',
  reason: 'backend-timeout',
  detail: '',
};

const loans = (count: number): Loan[] =>
  Array.from({ length: count }, (_, i) => ({
    field: `t|${i}`,
    column: 'onTrust',
    session: { edge: 'astra-1', sessionId: String(i) },
    fingerprint: 'same',
  }));

/** Sessions that all live; `answer` says what the backend says of each. */
function world(answer: (sessionId: string) => BackendAnswer | undefined) {
  const results = new Map<string, OutageResult>();
  const cut: string[] = [];
  const asked: string[] = [];
  const ended = new AbortController();
  const kept: Begun[] = [];
  const stops: string[] = [];
  const parts: RecheckParts = {
    clock,
    random: () => 0.5,
    checkOf: async (_, field) => ({ sessionId: field.slice(2) }) as Check,
    read: async ({ sessionId }) => ({ sessionId, fingerprint: 'same', state: 'on-trust' }) as Session,
    ask: async ({ check }) => {
      asked.push(check.sessionId);
      return answer(check.sessionId);
    },
    revoke: async ({ sessionId }) => {
      cut.push(sessionId);
      return true;
    },
    mayAsk: () => true,
    pace: () => 100_000,
    width: () => 8,
    book: {
      begun: { answered: 0, passed: false },
      note: async ({ field }, result) => void results.set(field.slice(2), result),
      keep: async (begun) => void kept.push(begun),
      stop: async (why) => void stops.push(why),
    },
    signal: ended.signal,
  };
  const count = (result: OutageResult): number =>
    [...results.values()].filter((each) => each === result).length;
  return { parts, results, cut, asked, count, ended, kept, stops };
}

const denyFirst = (many: number) => (id: string) => (Number(id) < many ? DENY : ALLOW);

describe('asking about those who were let in', () => {
  it('keeps whom the backend allows, and cuts whom it refuses', async () => {
    const { parts, cut, count } = world(denyFirst(20));
    expect(await recheckOutage(parts, NAME, loans(150))).toEqual({ kind: 'done', answered: 150, denied: 20 });
    expect(cut).toHaveLength(20);
    expect([count('kept'), count('cut')]).toEqual([130, 20]);
  });

  it('cuts nobody where more than 20 of the first 100 would be', async () => {
    const { parts, cut, asked, results, count, stops } = world(denyFirst(21));
    expect((await recheckOutage(parts, NAME, loans(500))).kind).toBe('stopped');
    expect(cut).toEqual([]);
    expect(count('denied')).toBe(21);
    expect(asked.length).toBeLessThan(120);
    expect(results.size).toBe(500);
    expect(count('not-checked')).toBe(500 - asked.length);
    expect(stops).toEqual([expect.stringMatching(/^21 of 100 were refused$/)]);
  });

  it('cuts nobody before the first 100 are answered', async () => {
    const { parts, cut } = world((id) => (Number(id) < 5 ? DENY : ALLOW));
    const cutAt: number[] = [];
    let answered = 0;
    const { ask, revoke } = parts;
    const watched: RecheckParts = {
      ...parts,
      ask: async (question) => {
        answered += 1;
        return ask(question);
      },
      revoke: async (...given) => {
        cutAt.push(answered);
        return revoke(...given);
      },
    };
    await recheckOutage(watched, NAME, loans(200));
    expect(cut).toHaveLength(5);
    expect(Math.min(...cutAt)).toBeGreaterThanOrEqual(100);
  });

  it('goes by all where there are fewer than 100', async () => {
    const few = world(() => DENY);
    expect((await recheckOutage(few.parts, NAME, loans(20))).kind).toBe('done');
    expect(few.cut).toHaveLength(20);
    const more = world(() => DENY);
    expect((await recheckOutage(more.parts, NAME, loans(21))).kind).toBe('stopped');
    expect(more.cut).toEqual([]);
  });

  it('cuts nobody where the backend begins to refuse everybody in the middle of it', async () => {
    const { parts, cut, asked, results, count, stops } = world(() => (asked.length <= 150 ? ALLOW : DENY));
    expect((await recheckOutage(parts, NAME, loans(1_000))).kind).toBe('stopped');
    expect(cut).toEqual([]);
    expect(asked.length).toBeLessThan(200);
    expect([count('kept'), count('not-checked')]).toEqual([150, 1_000 - asked.length]);
    expect(results.size).toBe(1_000);
    expect(stops).toEqual([expect.stringMatching(/^21 of the last 100 were refused$/)]);
  });

  it('cuts few where it begins to refuse everybody with the very last ones', async () => {
    const last = (many: number) => world((id) => (Number(id) >= 150 - many ? DENY : ALLOW));
    const few = last(10);
    expect((await recheckOutage(few.parts, NAME, loans(150))).kind).toBe('done');
    expect(few.cut).toHaveLength(10);
    const more = last(11);
    expect((await recheckOutage(more.parts, NAME, loans(150))).kind).toBe('stopped');
    expect(more.cut).toEqual([]);
    expect(more.stops).toEqual([expect.stringMatching(/^11 of the last 20 were refused$/)]);
  });

  it('cuts whom the backend refuses while it allows the others, however many there are', async () => {
    const { parts, cut, count } = world((id) => (Number(id) % 10 === 3 ? DENY : ALLOW));
    expect((await recheckOutage(parts, NAME, loans(1_000))).kind).toBe('done');
    expect([cut.length, count('kept')]).toEqual([100, 900]);
  });

  it('believes no answer that comes when the backend may be asked no more, and asks again later', async () => {
    let mayAsk = true;
    const { parts, cut, asked, count } = world((id) => {
      if (id !== '120' || asked.filter((each) => each === id).length > 1) return ALLOW;
      mayAsk = false;
      return DENY;
    });
    const time = new VirtualTime();
    const pause: RecheckParts['pause'] = async (ms, signal) => {
      await time.pause(ms, signal);
      if (time.clock.monotonic() > 60_000) mayAsk = true;
    };
    const going = recheckOutage(
      { ...parts, clock: time.clock, pause, mayAsk: () => mayAsk },
      NAME,
      loans(200),
    );
    expect((await time.until(going)).kind).toBe('done');
    expect(cut).toEqual([]);
    expect(count('kept')).toBe(200);
  });

  it('cuts nobody while the backend may not be asked, also whom it refused before', async () => {
    const { parts, cut, asked } = world((id) => (Number(id) === 5 ? DENY : ALLOW));
    const time = new VirtualTime();
    let cutAt = 0;
    const isKept = (): boolean => asked.length >= 20 && time.clock.monotonic() < 60_000;
    const revoke: RecheckParts['revoke'] = async (...given) => {
      cutAt = time.clock.monotonic();
      return parts.revoke(...given);
    };
    const virtual = { clock: time.clock, pause: time.pause, mayAsk: () => !isKept(), revoke };
    await time.until(recheckOutage({ ...parts, ...virtual }, NAME, loans(20)));
    expect(cut).toEqual(['5']);
    expect(cutAt).toBeGreaterThanOrEqual(60_000);
  });

  it.each(['backend-switched', 'backend-suspended', 'backend-suspicious'] as const)(
    'tries as long as nobody was asked: %s',
    async (reason) => {
      const time = new VirtualTime();
      const { parts, count } = world(() =>
        time.clock.monotonic() < 30_000 ? ({ ...AWAY, reason } as BackendAnswer) : ALLOW,
      );
      const virtual = { clock: time.clock, pause: time.pause };
      await time.until(recheckOutage({ ...parts, ...virtual }, NAME, loans(30)));
      expect(count('kept')).toBe(30);
    },
  );

  it('goes on later after those who cannot be asked about, and gives up in the end', async () => {
    let tries = 0;
    const { parts, results } = world((id) => {
      if (id === '0') return AWAY;
      if (id === '1') return (tries += 1) < 3 ? undefined : ALLOW;
      return ALLOW;
    });
    await recheckOutage(parts, NAME, loans(3));
    expect(Object.fromEntries(results)).toEqual({ 0: 'not-checkable', 1: 'kept', 2: 'kept' });
  });

  it('asks nobody who is gone, is another by now, or whose check is not there', async () => {
    const { parts, results, asked } = world(() => DENY);
    const found: Record<string, Partial<Session> | undefined> = {
      0: undefined,
      1: { fingerprint: 'another' },
      2: { fingerprint: 'same', state: 'revoked' },
    };
    const read: RecheckParts['read'] = async ({ sessionId }) =>
      sessionId in found
        ? (found[sessionId] as Session | undefined)
        : ({ sessionId, fingerprint: 'same' } as Session);
    const checkOf: RecheckParts['checkOf'] = async () => undefined;
    await recheckOutage({ ...parts, read, checkOf }, NAME, loans(4));
    expect(Object.fromEntries(results)).toEqual({ 0: 'gone', 1: 'gone', 2: 'gone', 3: 'not-checkable' });
    expect(asked).toEqual([]);
  });

  it('keeps the pace', async () => {
    const { parts } = world(() => ALLOW);
    const started = performance.now();
    await recheckOutage({ ...parts, pace: () => 100 }, NAME, loans(20));
    // Nineteen pauses of 10 ms: sooner it cannot be.
    expect(performance.now() - started).toBeGreaterThan(150);
  });

  it('keeps the pace after it had to wait, too', async () => {
    const { parts, asked } = world(() => ALLOW);
    const time = new VirtualTime();
    const at: number[] = [];
    const ask: RecheckParts['ask'] = (question) => {
      at.push(time.clock.monotonic());
      return parts.ask(question);
    };
    const mayAsk = (): boolean => time.clock.monotonic() > 60_000;
    const virtual = { clock: time.clock, pause: time.pause, random: () => 0.5 };
    await time.until(recheckOutage({ ...parts, ...virtual, ask, mayAsk, pace: () => 10 }, NAME, loans(30)));
    expect(asked).toHaveLength(30);
    const gaps = at.slice(1).map((one, i) => one - at[i]!);
    expect(Math.min(...gaps)).toBeCloseTo(100, 3);
  });

  it('waits while the backend cannot be asked, and is broken off by the end of the process', async () => {
    const { parts, asked, ended, results } = world(() => DENY);
    const going = recheckOutage({ ...parts, mayAsk: () => false }, NAME, loans(3));
    ended.abort();
    expect((await going).kind).toBe('broken-off');
    expect([asked, [...results]]).toEqual([[], []]);
  });
});

/** What is in Redis, whichever control writes it. */
class Ledger {
  readonly results = new Map<string, OutageResult>();
  readonly revoked = new Set<string>();
  readonly asked: string[] = [];
  begun: Begun = { answered: 0, passed: false };
  stopped = false;

  constructor(
    private readonly size: number,
    private readonly answer: (sessionId: string) => BackendAnswer,
  ) {}

  /** One control, which is killed before its n-th write. True: it came to its end. */
  async control(killedAt = Infinity): Promise<boolean> {
    let writes = 0;
    let die = (): void => undefined;
    const died = new Promise<false>((resolve) => (die = () => resolve(false)));
    const never = new Promise<never>(() => undefined);
    const write = async <T>(change: () => T): Promise<T> => {
      writes += 1;
      if (writes >= killedAt) {
        die();
        return never;
      }
      return change();
    };
    const { parts } = world(this.answer);
    const going = recheckOutage(
      {
        ...parts,
        read: async ({ sessionId }) =>
          ({
            sessionId,
            fingerprint: 'same',
            state: this.revoked.has(sessionId) ? 'revoked' : 'on-trust',
          }) as Session,
        ask: async ({ check }) => {
          if (writes >= killedAt) return never;
          this.asked.push(check.sessionId);
          return this.answer(check.sessionId);
        },
        revoke: ({ sessionId }) =>
          write(() => {
            this.revoked.add(sessionId);
            return true;
          }),
        book: {
          begun: this.begun,
          note: ({ field }, result) => write(() => void this.results.set(field.slice(2), result)),
          keep: (begun) => write(() => void (this.begun = begun)),
          stop: () => write(() => void (this.stopped = true)),
        },
      },
      NAME,
      this.#loans(),
    );
    return Promise.race([going.then(() => true), died]);
  }

  /** As settling finds them: who was refused and is revoked was cut. */
  #loans(): Loan[] {
    return loans(this.size).flatMap((loan) => {
      const { sessionId } = loan.session;
      const result = this.results.get(sessionId);
      const refused = result === 'denied';
      if (refused && this.revoked.has(sessionId)) this.results.set(sessionId, 'cut');
      const isOpen = result === undefined || (refused && !this.revoked.has(sessionId));
      return isOpen ? [{ ...loan, refused }] : [];
    });
  }

  count(result: OutageResult): number {
    return [...this.results.values()].filter((each) => each === result).length;
  }
}

describe('asking about them, where the control is killed in the middle', () => {
  const everySeventh = (id: string): BackendAnswer => (Number(id) % 7 === 3 ? DENY : ALLOW);
  /** In the trial, as it ends, while those of the trial are cut, and afterwards. */
  const moments = [1, 2, 13, 60, 120, 180, 195, 200, 205, 210, 220, 240, 300];

  it.each(moments)('comes to the same end: killed at write %d', async (moment) => {
    const ledger = new Ledger(210, everySeventh);
    expect(await ledger.control(moment)).toBe(false);
    expect(await ledger.control()).toBe(true);
    expect([ledger.count('kept'), ledger.count('cut')]).toEqual([180, 30]);
    expect(ledger.revoked.size).toBe(30);
    // Twice only who was asked about in that very moment.
    expect(new Set(ledger.asked).size).toBe(210);
    expect(ledger.asked.length).toBeLessThanOrEqual(210 + 8);
  });

  it('comes to the same end where every control is killed soon', async () => {
    const ledger = new Ledger(210, everySeventh);
    let controls = 1;
    while (!(await ledger.control(40))) controls += 1;
    expect(controls).toBeGreaterThan(5);
    expect([ledger.count('kept'), ledger.count('cut')]).toEqual([180, 30]);
    expect(ledger.asked.length).toBeLessThanOrEqual(210 + 8 * controls);
  });

  it.each([1, 20, 40, 60, 75, 80, 81, 82, 85])(
    'cuts nobody where too many are refused, however few are left for the next: killed at write %d',
    async (moment) => {
      const ledger = new Ledger(40, (id) => (Number(id) < 30 ? DENY : ALLOW));
      await ledger.control(moment);
      // The next one asks nobody any more where that was decided; see OutageJob.
      if (!ledger.stopped) expect(await ledger.control()).toBe(true);
      expect(ledger.stopped).toBe(true);
      expect([...ledger.revoked]).toEqual([]);
      expect(ledger.count('denied')).toBe(30);
    },
  );
});
