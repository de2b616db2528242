import { setTimeout as sleep } from 'node:timers/promises';
import { configSchema } from '#usher/config';
import type { BackendAnswer } from '#usher/domain';
import { eventually, ManualClock } from '#usher/testing';
import { aCheck, clock } from '../../test/checks.js';
import { ToldBackend, allow, busy, deny, fail, gatesAround } from '../../test/gates.js';
import { CallCancelled } from '../http/exchange-error.js';
import { lonely } from '../breaker/cluster.js';

const check = aCheck();
const inTime = () => ({ deadline: clock.monotonic() + 5_000, known: false });

/** A backend whose answers wait until they are let go. */
function heldBack(): { backend: ToldBackend; release: (answer?: BackendAnswer) => Promise<void> } {
  const backend = new ToldBackend();
  const waiting: ((answer: BackendAnswer) => void)[] = [];
  backend.answer = () => new Promise((resolve) => waiting.push(resolve));
  return {
    backend,
    release: async (answer) => {
      const told = answer ?? (await allow());
      for (const resolve of waiting.splice(0)) resolve(told);
    },
  };
}

describe('a backend’s gate', () => {
  it('passes answers on, and counts a denial as the backend’s health', async () => {
    const backend = new ToldBackend();
    backend.answer = () => deny();
    const { gates } = gatesAround([backend]);
    const gate = gates.get('portal')!;
    for (let call = 0; call < 30; call += 1) {
      expect(await gate.ask(check, inTime())).toMatchObject({ kind: 'deny', status: 403 });
    }
    expect(gate.status()).toMatchObject({ state: 'closed', results: { deny: 30, failed: 0 } });
  });

  it('suspends after so many failures in a row, and then asks no more', async () => {
    const backend = new ToldBackend();
    backend.answer = () => fail();
    const { gates, board } = gatesAround([backend], { breaker: { consecutive: 5 } });
    const gate = gates.get('portal')!;
    for (let call = 0; call < 5; call += 1) await gate.ask(check, inTime());
    await eventually(() => gate.status().state === 'suspended');
    expect(await gate.ask(check, inTime())).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-suspended',
    });
    expect(backend.calls).toBe(5);
    expect(board.isClosed('portal')).toBe(false);
    expect(await board.admit('portal', true)).toMatchObject({ kind: 'outage' });
    board.stop();
  });

  it('keeps at most its places in flight, and lets the next ones in in order', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { maxCalls: 2 });
    const gate = gates.get('portal')!;
    const asked = [1, 2, 3].map(() => gate.ask(check, inTime()));
    await eventually(() => gate.status().queued === 1);
    expect(gate.status()).toMatchObject({ inFlight: 2, places: 2, queued: 1 });
    expect(backend.calls).toBe(2);
    await release();
    await eventually(() => backend.calls === 3);
    await release();
    expect((await Promise.all(asked)).map((answer) => answer.kind)).toEqual(['allow', 'allow', 'allow']);
    expect(gate.status()).toMatchObject({ inFlight: 0, queued: 0 });
  });

  it('divides its places among the living processes', () => {
    const cluster = { ...lonely({ id: 'a', host: 'a' }), callShare: () => 1 / 4 };
    const { gates } = gatesAround([new ToldBackend()], {}, { cluster });
    expect(gates.get('portal')!.status().places).toBe(16);
  });

  it('does not suspend a healthy backend whose places are all taken', async () => {
    const { backend, release } = heldBack();
    const { gates, board } = gatesAround([backend], {
      maxCalls: 1,
      breaker: { consecutive: 2, minCalls: 2 },
    });
    const gate = gates.get('portal')!;
    const first = gate.ask(check, inTime());
    const refused = await Promise.all(
      Array.from({ length: 50 }, () => gate.ask(check, { deadline: clock.monotonic() + 400, known: true })),
    );
    expect(new Set(refused.map(({ kind, reason }) => `${kind} ${reason}`))).toEqual(
      new Set(['unavailable bulkhead-full']),
    );
    await release();
    expect((await first).kind).toBe('allow');
    expect(gate.status()).toMatchObject({ state: 'closed', results: { full: 50, failed: 0 } });
    expect(board.isClosed('portal')).toBe(true);
  });

  it('refuses at once when the queue is full', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { maxCalls: 1 });
    const gate = gates.get('portal')!;
    const waiting = Array.from({ length: 257 }, () => gate.ask(check, inTime()));
    expect(gate.status().queued).toBe(256);
    expect(await gate.ask(check, inTime())).toMatchObject({ because: 'us', reason: 'bulkhead-full' });
    await eventually(async () => {
      await release();
      return gate.status().inFlight === 0 && gate.status().queued === 0;
    });
    await Promise.all(waiting);
  });

  it('hands over an answer that comes after the deadline of its check', async () => {
    const late: unknown[] = [];
    const { backend, release } = heldBack();
    const { gates } = gatesAround(
      [backend],
      {},
      { onLate: (whose, answer) => late.push([whose, answer.kind]) },
    );
    const gate = gates.get('portal')!;
    const answer = await gate.ask(check, { deadline: clock.monotonic() + 20, known: false });
    expect(answer).toMatchObject({ kind: 'unavailable', because: 'backend', reason: 'backend-timeout' });
    expect(late).toEqual([]);
    await release();
    await eventually(() => late.length === 1);
    expect(late).toEqual([[check, 'allow']]);
    expect(gate.status().results).toMatchObject({ late: 1, allow: 1 });
  });

  it('lets a question wait in line while there is time for its call', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { maxCalls: 1 });
    const gate = gates.get('portal')!;
    const first = gate.ask(check, inTime());
    const second = gate.ask(check, { deadline: clock.monotonic() + 3_000, known: false });
    // Longer than half a second, and there is more left.
    await sleep(700);
    expect(gate.status()).toMatchObject({ queued: 1, results: { full: 0 } });
    await release();
    expect((await first).kind).toBe('allow');
    await eventually(() => backend.calls === 2);
    await release();
    expect((await second).kind).toBe('allow');
  });

  it('has nobody wait in line who would have no time left for a call as they usually are', async () => {
    const { backend, release } = heldBack();
    const manual = new ManualClock();
    const { gates } = gatesAround([backend], { maxCalls: 1 }, { clock: manual });
    const gate = gates.get('portal')!;
    const ask = (left: number) => gate.ask(check, { deadline: manual.monotonic() + left, known: false });
    const slow = ask(5_000);
    await eventually(() => backend.calls === 1);
    manual.advance(800);
    await release();
    await slow;
    const first = ask(5_000);
    const [late, inLine] = [ask(900), ask(1_500)];
    expect(gate.status().queued).toBe(1);
    expect(await late).toMatchObject({ because: 'us', reason: 'bulkhead-full' });
    await release();
    await eventually(() => backend.calls === 3);
    await release();
    expect([(await first).kind, (await inLine).kind]).toEqual(['allow', 'allow']);
  });

  it('has nobody wait in line for long who plays anyway', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { maxCalls: 1 });
    const gate = gates.get('portal')!;
    const first = gate.ask(check, inTime());
    const soon = { deadline: clock.monotonic() + 20_000, known: true };
    const others = gate.ask(check, soon);
    const plays = await gate.ask(check, { ...soon, playsAnyway: true });
    expect(plays).toMatchObject({ because: 'us', reason: 'bulkhead-full' });
    // The others still wait.
    expect(gate.status().queued).toBe(1);
    await release();
    await first;
    await eventually(() => backend.calls === 2);
    await release();
    expect((await others).kind).toBe('allow');
  });

  it('lets whoever waits at a player in before what is asked in the background, however long that waits', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { maxCalls: 1 });
    const gate = gates.get('portal')!;
    const order: string[] = [];
    const ask = (name: string, last: boolean): Promise<unknown> =>
      gate.ask({ ...check, channel: name }, { ...inTime(), last });
    const asked = [ask('first', false), ask('background', true), ask('second', false), ask('third', false)];
    await eventually(() => gate.status().queued === 3);
    for (let call = 1; call <= 4; call += 1) {
      await eventually(() => backend.calls === call);
      order.push(backend.checks.at(-1)!.channel);
      await release();
    }
    await Promise.all(asked);
    expect(order).toEqual(['first', 'second', 'third', 'background']);
  });

  it('takes it for our own fault where the question was longer on its way than the backend has time', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend]);
    const deadline = clock.monotonic() + 20;
    const answer = await gates.get('portal')!.ask(check, { deadline, onTheWay: 1_900, known: false });
    expect(answer).toMatchObject({ kind: 'unavailable', because: 'us', reason: 'deadline' });
    await release();
  });

  it('takes a busy backend for no failure, and slows down', async () => {
    const backend = new ToldBackend();
    backend.answer = () => busy();
    const { gates } = gatesAround([backend], { breaker: { consecutive: 3, minCalls: 3 } });
    const gate = gates.get('portal')!;
    expect(gate.status().pace).toBe(Infinity);
    const answers = await Promise.all(Array.from({ length: 40 }, () => gate.ask(check, inTime())));
    expect(answers.every((answer) => answer.reason === 'backend-busy')).toBe(true);
    expect(gate.status()).toMatchObject({ state: 'closed', pace: 20, results: { busy: 40, failed: 0 } });
  });

  it('refuses what the pace leaves no time for, because of us', async () => {
    const backend = new ToldBackend();
    const { gates } = gatesAround([backend], { pace: 2 });
    const gate = gates.get('portal')!;
    const soon = () => ({ deadline: clock.monotonic() + 200, known: false });
    expect((await gate.ask(check, soon())).kind).toBe('allow');
    expect(await gate.ask(check, soon())).toMatchObject({
      kind: 'unavailable',
      because: 'us',
      reason: 'paced',
    });
    expect(backend.calls).toBe(1);
  });

  it('lets viewers take from the pace first, however many wait behind them', async () => {
    const backend = new ToldBackend();
    const { gates } = gatesAround([backend], { pace: 10 });
    const gate = gates.get('portal')!;
    const behind = Array.from({ length: 10 }, () =>
      gate.ask(check, { deadline: clock.monotonic() + 60_000, known: false, last: true }),
    );
    const viewers = [1, 2].map(() => gate.ask(check, { deadline: clock.monotonic() + 400, known: false }));
    expect((await Promise.all(viewers)).map(({ kind }) => kind)).toEqual(['allow', 'allow']);
    expect(new Set((await Promise.all(behind)).map(({ kind }) => kind))).toEqual(new Set(['allow']));
    expect(gate.status().results).toMatchObject({ allow: 12, paced: 0 });
  });

  it('holds nothing back that is only observed: neither for the pace nor for a place', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { pace: 2, maxCalls: 1 });
    const gate = gates.get('portal')!;
    const asked = Array.from({ length: 20 }, () => gate.ask(check, { ...inTime(), unguarded: true }));
    await eventually(() => backend.calls === 20);
    await release();
    expect((await Promise.all(asked)).map(({ kind }) => kind)).toEqual(Array(20).fill('allow'));
    expect(gate.status()).toMatchObject({ inFlight: 0, results: { paced: 0, full: 0 } });
  });

  it('keeps cancelled calls away from the breaker', async () => {
    const backend = new ToldBackend();
    backend.answer = (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal!.addEventListener('abort', () => reject(new CallCancelled()));
      });
    const { gates } = gatesAround([backend], { breaker: { consecutive: 2, minCalls: 2 } });
    const gate = gates.get('portal')!;
    const cancels = Array.from({ length: 20 }, () => new AbortController());
    const asked = cancels.map(({ signal }) => gate.ask(check, { ...inTime(), signal }));
    await eventually(() => backend.calls === 20);
    for (const cancel of cancels) cancel.abort();
    expect(new Set((await Promise.all(asked)).map(({ kind }) => kind))).toEqual(new Set(['unavailable']));
    backend.answer = () => fail();
    await gate.ask(check, inTime());
    await sleep(20);
    expect(gate.status()).toMatchObject({
      state: 'closed',
      inFlight: 0,
      results: { cancelled: 20, failed: 1 },
    });
    backend.answer = () => allow();
    expect((await gate.ask(check, inTime())).kind).toBe('allow');
  });

  it('takes an adapter that breaks for a fault of its own', async () => {
    const backend = new ToldBackend();
    backend.answer = () => Promise.reject(new TypeError('oops'));
    const { gates } = gatesAround([backend], { breaker: { consecutive: 2, minCalls: 2 } });
    const gate = gates.get('portal')!;
    for (let call = 0; call < 5; call += 1) {
      expect(await gate.ask(check, inTime())).toMatchObject({ because: 'us', reason: 'internal' });
    }
    expect(gate.status()).toMatchObject({ state: 'closed', inFlight: 0 });
  });

  it('asks in mode observe even while suspended', async () => {
    const backend = new ToldBackend();
    backend.answer = () => fail();
    const { gates, board } = gatesAround([backend], { breaker: { consecutive: 1 } });
    const gate = gates.get('portal')!;
    await gate.ask(check, inTime());
    await eventually(() => gate.status().state === 'suspended');
    backend.answer = () => deny();
    expect((await gate.ask(check, { ...inTime(), unguarded: true })).kind).toBe('deny');
    board.stop();
  });

  it('finds out by the questions of mode observe that the backend is back', async () => {
    const backend = new ToldBackend();
    backend.answer = () => fail();
    const { gates, board } = gatesAround([backend], {
      breaker: { consecutive: 1, openFor: 10, rampStep: 10 },
    });
    const gate = gates.get('portal')!;
    await gate.ask(check, inTime());
    await eventually(() => gate.status().state === 'half-open');
    backend.answer = () => allow();
    await eventually(async () => {
      await gate.ask(check, { ...inTime(), unguarded: true });
      return gate.status().state === 'closed';
    });
    board.stop();
  });
});

describe('a suspicious backend', () => {
  it('is suspended by its denials of known viewers, where the policy treats them as failed', async () => {
    const heard: unknown[] = [];
    const backend = new ToldBackend();
    backend.answer = () => deny();
    const { gates, board } = gatesAround(
      [backend],
      { guard: { policy: 'treat-as-failed', knownDenied: 20, times: 5, minimum: 50 } },
      { onSuspicious: (name, suspicion) => heard.push([name, suspicion?.kind]) },
    );
    const gate = gates.get('portal')!;
    const ask = () => gate.ask(check, { ...inTime(), known: true });
    for (let call = 1; call < 50; call += 1) expect((await ask()).kind).toBe('deny');
    for (let call = 0; call < 5; call += 1) expect((await ask()).reason).toBe('backend-suspicious');
    await eventually(() => gate.status().state === 'suspended');
    expect(heard).toEqual([['portal', 'known-denied']]);
    expect(gate.status().suspicion).toMatchObject({ kind: 'known-denied', percent: 100, usualPercent: 0 });
    board.stop();
  });
});

describe('a canary', () => {
  const canary = () => ({ ...inTime(), canary: true });

  it('is no viewer: it moves neither guard nor breaker, counts as no question and settles nothing', async () => {
    const heard: unknown[] = [];
    const backend = new ToldBackend();
    const { gates, board } = gatesAround(
      [backend],
      { breaker: { consecutive: 2 }, guard: { policy: 'announce', knownDenied: 20, times: 1, minimum: 2 } },
      { onSuspicious: () => heard.push('suspicious'), onLate: () => heard.push('late') },
    );
    const gate = gates.get('portal')!;
    backend.answer = () => deny();
    for (let i = 0; i < 10; i += 1)
      expect((await gate.ask(check, { ...canary(), known: true })).kind).toBe('deny');
    backend.answer = () => fail();
    for (let i = 0; i < 10; i += 1) expect((await gate.ask(check, canary())).reason).toBe('backend-error');
    await board.reread();
    let answered: () => void = () => undefined;
    const late = new Promise<void>((resolve) => (answered = resolve));
    backend.answer = () => late.then(() => allow());
    const soon = { ...canary(), deadline: clock.monotonic() + 50 };
    expect(await gate.ask(check, soon)).toMatchObject({ reason: 'backend-timeout' });
    answered();
    await eventually(() => gate.status().inFlight === 0);
    expect(heard).toEqual([]);
    expect(gate.status()).toMatchObject({ state: 'closed', results: { allow: 0, deny: 0, failed: 0 } });
    board.stop();
  });

  it('waits for its turn and its place as any question', async () => {
    const { backend, release } = heldBack();
    const { gates } = gatesAround([backend], { maxCalls: 1 });
    const gate = gates.get('portal')!;
    const first = gate.ask(check, inTime());
    await eventually(() => backend.calls === 1);
    const soon = { ...canary(), deadline: clock.monotonic() + 100 };
    expect(await gate.ask(check, soon)).toMatchObject({ because: 'us', reason: 'bulkhead-full' });
    await release();
    await first;
    expect(backend.calls).toBe(1);
  });

  it('is asked while the breaker is suspended, and never while an operator has switched the backend', async () => {
    let switched = false;
    const backend = new ToldBackend();
    backend.answer = () => fail();
    const { gates, board } = gatesAround(
      [backend],
      { breaker: { consecutive: 1, openFor: 60_000 } },
      { isSwitched: () => switched },
    );
    const gate = gates.get('portal')!;
    await gate.ask(check, inTime());
    await eventually(() => gate.status().state === 'suspended');
    backend.answer = () => deny();
    expect((await gate.ask(check, canary())).kind).toBe('deny');
    expect(gate.status().state).toBe('suspended');
    switched = true;
    expect((await gate.ask(check, canary())).reason).toBe('backend-switched');
    expect(backend.calls).toBe(2);
    board.stop();
  });

  it('that is wrong makes the backend suspended where its answers are then taken for failures', async () => {
    const wrong = { kind: 'canary', wrong: ['deny'], proven: ['deny'], since: 1, until: Infinity } as const;
    const backend = new ToldBackend();
    const { gates, board } = gatesAround(
      [backend],
      {
        breaker: { consecutive: 5 },
        guard: { policy: 'treat-as-failed', knownDenied: 20, times: 5, minimum: 50 },
      },
      { canaries: (name) => (name === 'portal' ? wrong : undefined) },
    );
    const gate = gates.get('portal')!;
    // What is only observed passes as it is.
    expect((await gate.ask(check, { ...inTime(), unguarded: true })).kind).toBe('allow');
    for (let i = 0; i < 5; i += 1) await gate.ask(check, inTime());
    await eventually(() => gate.status().state === 'suspended');
    expect(gate.status()).toMatchObject({ suspicion: wrong, results: { allow: 0 } });
    expect((await gate.ask(check, canary())).kind).toBe('allow');
    board.stop();
  });
});

describe('a group’s board', () => {
  it('refuses a group with a member that is not configured', () => {
    const { groups } = configSchema.parse({ groups: { both: { backends: ['portal', 'billing'] } } });
    expect(() => gatesAround([new ToldBackend()], {}, {}, groups)).toThrow('there is no backend billing');
  });

  it('asks a group while any member can be asked, and names those to leave out', async () => {
    const portal = new ToldBackend('portal');
    const billing = new ToldBackend('billing');
    const both = { policy: 'any', backends: ['portal', 'billing'] };
    const { gates, board } = gatesAround([portal, billing], { breaker: { consecutive: 1 } }, {}, { both });
    expect(board.isClosed('both')).toBe(true);
    portal.answer = () => fail('portal');
    await gates.get('portal')!.ask(check, inTime());
    await eventually(() => !board.isClosed('portal'));
    expect(board.isClosed('billing')).toBe(true);
    expect(board.isClosed('both')).toBe(false);
    expect(await board.admit('both', false)).toMatchObject({ kind: 'ask', skip: ['portal'] });
    billing.answer = () => fail('billing');
    await gates.get('billing')!.ask(check, inTime());
    await eventually(() => !board.isClosed('billing'));
    expect(await board.admit('both', false)).toMatchObject({ kind: 'outage' });
    board.stop();
  });
});
