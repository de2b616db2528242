import { connectRedis } from '#usher/redis';
import { eventually, startRedis } from '#usher/testing';
import { aCheck, clock } from '../../test/checks.js';
import { allow, deny, fail, gatesAround, ToldBackend, type Settings } from '../../test/gates.js';
import { GatedBackends } from './gated-backends.js';

const check = aCheck();
const inTime = () => ({ deadline: clock.monotonic() + 5_000, known: false });

function switchable(settings: Settings = {}) {
  const backend = new ToldBackend();
  const switched = new Set<string>();
  const heard: string[] = [];
  const { gates, board } = gatesAround([backend], settings, {
    isSwitched: (name) => switched.has(name),
    onSuspicious: () => heard.push('suspicious'),
    onChange: (_, now) => heard.push(now.state),
    onIsolated: () => heard.push('isolated'),
  });
  const gate = gates.get('portal')!;
  return { backend, gate, board, heard, ask: () => gate.ask(check, inTime()), switched };
}

describe('a backend that is switched', () => {
  it('is not called, and is unavailable because of itself', async () => {
    const { backend, gate, ask, switched, board } = switchable();
    switched.add('portal');
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-switched',
    });
    expect(backend.calls).toBe(0);
    expect(gate.status().results).toMatchObject({ switched: 1, suspended: 0 });
    switched.clear();
    expect((await ask()).kind).toBe('allow');
    board.stop();
  });

  it('is not called for a question that waited for a place when it was switched', async () => {
    const { backend, ask, switched, board } = switchable({ maxCalls: 1 });
    let answered: (answer: Awaited<ReturnType<typeof allow>>) => void = () => undefined;
    backend.answer = () => new Promise((resolve) => (answered = resolve));
    const [first, second] = [ask(), ask()];
    await eventually(() => backend.calls === 1);
    switched.add('portal');
    answered(await allow());
    expect((await first).kind).toBe('allow');
    expect(await second).toMatchObject({ reason: 'backend-switched' });
    expect(backend.calls).toBe(1);
    board.stop();
  });

  it('raises no alarm by what it says in mode observe, or by calls that were under way', async () => {
    const { backend, gate, heard, switched, board } = switchable({
      breaker: { consecutive: 2 },
      guard: { policy: 'announce', knownDenied: 20, times: 1, minimum: 2 },
    });
    switched.add('portal');
    const observed = { ...inTime(), known: true, unguarded: true };
    backend.answer = () => fail();
    for (let i = 0; i < 5; i += 1) expect((await gate.ask(check, observed)).reason).toBe('backend-error');
    backend.answer = () => deny();
    for (let i = 0; i < 5; i += 1) expect((await gate.ask(check, observed)).kind).toBe('deny');
    expect(backend.calls).toBe(10);
    await board.reread();
    expect(heard).toEqual([]);
    expect(gate.status().state).toBe('closed');
    switched.clear();
    backend.answer = () => fail();
    for (let i = 0; i < 2; i += 1) await gate.ask(check, inTime());
    await eventually(() => gate.status().state === 'suspended');
    board.stop();
  });

  it('casts no vote, and casts those of before when the switch is gone', async () => {
    const server = await startRedis();
    const redis = connectRedis({ url: server.url, timeout: 5_000 });
    await redis.ready();
    let switched = false;
    const { gates, board } = gatesAround([new ToldBackend()], {}, { redis, isSwitched: () => switched });
    const votes = () => redis.call('HLEN', ['usher:breaker:{portal}:votes']);
    for (let i = 0; i < 5; i += 1) await gates.get('portal')!.ask(check, inTime());
    switched = true;
    await board.reread();
    expect(await votes()).toBe(0);
    switched = false;
    await board.reread();
    expect(await votes()).toBe(1);
    board.stop();
    await redis.close();
    await server.stop();
  });
});

describe('a group with a member that is switched', () => {
  const groups = {
    any: { policy: 'any', backends: ['portal', 'billing'] },
    first: { policy: 'first', backends: ['portal', 'billing'] },
  };

  it.each(['any', 'first'])('asks the others: policy %s', async (target) => {
    const portal = new ToldBackend('portal');
    const billing = new ToldBackend('billing');
    billing.answer = () => allow('billing');
    const isSwitched = (name: string) => name === 'portal';
    const { gates, board } = gatesAround([portal, billing], {}, { isSwitched }, groups);
    const admission = await board.admit(target, false, ['portal']);
    expect(admission).toMatchObject({ kind: 'ask', skip: ['portal'] });
    const backends = new GatedBackends(gates, groups as never, clock);
    const question = { check, identity: {} as never, target, known: false, deadline: clock.now() + 5_000 };
    expect(await backends.ask({ ...question, skip: ['portal'] })).toMatchObject({ backend: 'billing' });
    billing.answer = () => fail('billing');
    expect(await backends.ask({ ...question, skip: ['portal'] })).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-switched',
    });
    expect(portal.calls).toBe(0);
    board.stop();
  });

  it('is in an outage where the others are suspended', async () => {
    const [portal, billing] = [new ToldBackend('portal'), new ToldBackend('billing')];
    billing.answer = () => fail('billing');
    const { gates, board } = gatesAround([portal, billing], { breaker: { consecutive: 1 } }, {}, groups);
    await gates.get('billing')!.ask(check, inTime());
    await eventually(() => !board.isClosed('billing'));
    expect(await board.admit('first', false, ['portal'])).toMatchObject({ kind: 'outage' });
    board.stop();
  });
});
