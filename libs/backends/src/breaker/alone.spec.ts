import { type RedisProcess, eventually, startRedis } from '#usher/testing';
import { aCheck } from '../../test/checks.js';
import { type Settings, allow } from '../../test/gates.js';
import { type GroupProcess, ProcessGroup } from '../../test/process-group.js';

let redis: RedisProcess;
let group: ProcessGroup;

beforeEach(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  await group.stop();
  await redis.stop();
});

async function two(breaker: Settings['breaker']): Promise<[GroupProcess, GroupProcess]> {
  group = new ProcessGroup(redis, 'portal', { timeout: 100, breaker });
  return [await group.start('g1', 'h1'), await group.start('g2', 'h2')];
}

const alone = (process: GroupProcess): boolean => process.gate.status().alone;

describe('a process without Redis', () => {
  it('decides by itself, recovers by itself, and says that it is alone', async () => {
    const [one, other] = await two({ openFor: 50, rampStep: 20, probes: 2 });
    expect([alone(one), alone(other)]).toEqual([false, false]);
    await redis.kill();
    await eventually(() => alone(one) && alone(other));
    one.breakNetwork();
    await one.ask(5);
    await eventually(() => one.state === 'half-open');
    expect(other.state).toBe('closed');

    one.backend.answer = () => allow();
    for (let good = 1; good <= 2; good += 1) {
      const lease = await eventually(async () => {
        const admission = await one.admit();
        return admission.kind === 'ask' && (admission.probes?.['portal'] ?? false);
      });
      const options = { deadline: performance.now() + 1_000, known: false, probeLease: lease as string };
      expect((await one.gate.ask(aCheck(), options)).kind).toBe('allow');
    }
    await eventually(() => one.state === 'closed');
    expect(one.turns.map(({ state }) => state).filter((state) => state === 'ramping')).toHaveLength(4);
  });

  it('follows the cluster again when Redis is back', async () => {
    const [one, other] = await two({ openFor: 60_000 });
    await redis.kill();
    await eventually(() => alone(one) && alone(other));
    one.breakNetwork();
    await one.ask(5);
    await eventually(() => one.state === 'suspended');
    await redis.restart({ empty: true });
    await eventually(() => !alone(one) && !alone(other));
    await eventually(() => one.state === other.state);
    const state = await redis.cli('HGET', 'usher:breaker:{portal}', 'state');
    await eventually(() => [one.state, other.state].every((known) => known === state));
  });

  it('goes on from the cluster’s verdict', async () => {
    const [one, other] = await two({ openFor: 60_000 });
    for (const process of [one, other]) process.breakNetwork();
    await Promise.all([one.ask(5), other.ask(5)]);
    await eventually(() => one.state === 'suspended' && other.state === 'suspended');
    redis.pause();
    await eventually(() => alone(one));
    redis.resume();
    expect(one.state).toBe('suspended');
    await eventually(() => !alone(one));
    expect(one.state).toBe('suspended');
  });
});
