import type { Admission } from '#usher/domain';
import { type RedisProcess, eventually, startRedis } from '#usher/testing';
import { aCheck } from '../../test/checks.js';
import { type Settings, allow, busy, deny, fail } from '../../test/gates.js';
import { type GroupProcess, ProcessGroup } from '../../test/process-group.js';

let redis: RedisProcess;
let group: ProcessGroup | undefined;
let tests = 0;

beforeAll(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  await group?.stop();
  group = undefined;
});

afterAll(async () => {
  await redis.stop();
});

/** A gateway and two workers whose backend just failed, half-open. */
async function halfOpen(breaker: Settings['breaker'] = {}, timeout = 200): Promise<GroupProcess[]> {
  tests += 1;
  group = new ProcessGroup(redis, `portal-${tests}`, {
    timeout,
    breaker: { openFor: 50, rampStep: 60_000, ...breaker },
  });
  const all = [await group.start('g1', 'h1'), await group.start('w1', 'h2'), await group.start('w2', 'h3')];
  for (const process of all) process.breakNetwork();
  await Promise.all(all.slice(1).map((process) => process.ask(5)));
  await eventually(() => all.every(({ state }) => state === 'half-open'));
  return all;
}

function leaseOf(admission: Admission, backend: string): string | undefined {
  return admission.kind === 'ask' ? admission.probes?.[backend] : undefined;
}

/** The lease, once it is free. */
async function takeLease(gateway: GroupProcess): Promise<string> {
  return (await eventually(
    async () => leaseOf(await gateway.admit(), gateway.backend.name) ?? false,
  )) as string;
}

async function probe(worker: GroupProcess, probeLease: string): Promise<void> {
  await worker.gate.ask(aCheck(), { deadline: performance.now() + 5_000, known: false, probeLease });
}

describe('a half-open breaker', () => {
  it('lets one probe through in the whole cluster', async () => {
    const all = await halfOpen();
    const admissions = await Promise.all(
      all.flatMap((process) => Array.from({ length: 100 }, () => process.admit())),
    );
    expect(admissions.filter(({ kind }) => kind === 'ask')).toHaveLength(1);
    expect(admissions.filter(({ kind }) => kind === 'outage')).toHaveLength(299);
  });

  it('refuses questions that are no probe', async () => {
    const [, worker] = await halfOpen();
    const calls = worker!.backend.calls;
    await worker!.ask(3);
    expect(worker!.backend.calls).toBe(calls);
    expect(worker!.gate.status().results.suspended).toBe(3);
  });

  it('ramps up after two good probes, a denial being good', async () => {
    const [gateway, worker] = await halfOpen();
    worker!.backend.answer = () => deny(worker!.backend.name);
    await probe(worker!, await takeLease(gateway!));
    await eventually(() => gateway!.turns.at(-1)?.goodProbes === 1);
    expect(gateway!.state).toBe('half-open');
    worker!.backend.answer = () => allow(worker!.backend.name);
    await probe(worker!, await takeLease(gateway!));
    await eventually(() => group!.processes.every(({ state }) => state === 'ramping'));
    expect(gateway!.gates.board.isClosed(gateway!.backend.name)).toBe(false);
  });

  it('is suspended again by a bad probe', async () => {
    const [gateway, worker] = await halfOpen();
    const turns = gateway!.turns.length;
    await probe(worker!, await takeLease(gateway!));
    await eventually(() => gateway!.turns.slice(turns).some(({ state }) => state === 'suspended'));
    await eventually(() => gateway!.state === 'half-open');
  });

  it('does not count a result whose lease ran out', async () => {
    const [gateway, worker] = await halfOpen();
    const lease = await takeLease(gateway!);
    await redis.cli('DEL', `usher:breaker:{${gateway!.backend.name}}:lease`);
    const turns = gateway!.turns.length;
    worker!.backend.answer = () => allow(worker!.backend.name);
    await probe(worker!, lease);
    const next = await takeLease(gateway!);
    expect(next).not.toBe(lease);
    expect(gateway!.turns).toHaveLength(turns);
  });

  it('gives the lease to the next one when a probing process died', async () => {
    const [gateway, , other] = await halfOpen({}, 100);
    const lease = await takeLease(gateway!);
    expect(await takeLease(other!)).not.toBe(lease);
  });

  it('asks again when a probe came back busy', async () => {
    const [gateway, worker] = await halfOpen({}, 60_000);
    worker!.backend.answer = () => busy(worker!.backend.name);
    await probe(worker!, await takeLease(gateway!));
    await takeLease(gateway!);
    expect(gateway!.state).toBe('half-open');
  });
});

describe('a ramping breaker', () => {
  async function ramping(breaker: Settings['breaker'] = {}): Promise<GroupProcess[]> {
    const all = await halfOpen({ probes: 1, ...breaker });
    const [gateway, worker] = all;
    for (const { backend } of all) backend.answer = () => allow(backend.name);
    await probe(worker!, await takeLease(gateway!));
    await eventually(() => all.every(({ turns }) => turns.some(({ state }) => state === 'ramping')));
    return all;
  }

  it('gives the outage’s answer to those that are not let through', async () => {
    const [gateway] = await ramping();
    const admissions = await Promise.all(Array.from({ length: 50 }, () => gateway!.admit(true)));
    const asked = admissions.filter(({ kind }) => kind === 'ask').length;
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(10);
    expect(admissions.at(-1)).toEqual({ kind: 'outage', since: expect.any(Number) });
  });

  it('lets workers ask whatever gateways let through', async () => {
    const [, worker] = await ramping();
    const calls = worker!.backend.calls;
    await worker!.ask(30);
    expect(worker!.backend.calls).toBe(calls + 30);
  });

  it('closes after its four steps, and the outage is over only then', async () => {
    const [gateway, worker] = await ramping({ rampStep: 20 });
    await eventually(() => gateway!.state === 'closed' && worker!.state === 'closed');
    const ramp = gateway!.turns.filter(({ state }) => state === 'ramping');
    expect(ramp.map(({ step }) => step)).toEqual([0, 1, 2, 3]);
    expect(new Set(ramp.map(({ downSince }) => downSince)).size).toBe(1);
    expect(gateway!.turns.at(-1)).toMatchObject({ state: 'closed', downSince: 0, rateBefore: 0 });
    expect(gateway!.gates.board.isClosed(gateway!.backend.name)).toBe(true);
    await gateway!.ask(3);
    expect(gateway!.state).toBe('closed');
  });

  it('does not count the votes that were cast before the outage', async () => {
    const [broken, healthy, idle] = await ramping();
    broken!.breakNetwork();
    await healthy!.ask(5);
    await healthy!.gates.board.reread();
    await broken!.ask(5);
    await eventually(() => broken!.gate.isolated);
    expect([healthy!.state, idle!.state]).toEqual(['ramping', 'ramping']);
  });

  it('is suspended again by a bad verdict, and remembers what was carried before the outage', async () => {
    const [gateway, w1, w2] = await ramping();
    const carried = gateway!.turns.find(({ state }) => state === 'suspended')!.rateBefore;
    expect(carried).toBeGreaterThan(0);
    for (const worker of [w1!, w2!]) worker.backend.answer = () => fail(worker.backend.name);
    await Promise.all([w1!.ask(5), w2!.ask(5)]);
    await eventually(() => gateway!.turns.filter(({ state }) => state === 'suspended').length === 2);
    expect(gateway!.turns.findLast(({ state }) => state === 'suspended')!.rateBefore).toBe(carried);
  });
});
