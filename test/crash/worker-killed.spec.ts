import { eventually, startFakePortal, startRedis, type FakePortal, type RedisProcess } from '#usher/testing';
import { runProgram, type Program } from '../support/program.js';
import { startUsher, type UsherProcess } from '../support/usher-process.js';

describe('a worker that is killed between its reply and the opening of the session', () => {
  let redis: RedisProcess;
  let portal: FakePortal;
  let gateway: UsherProcess;
  let worker: Program;

  beforeAll(async () => {
    [redis, portal] = await Promise.all([startRedis(), startFakePortal()]);
    portal.allow({ 'X-UserId': 'anna' });
    gateway = await startUsher('gateway', {
      redis: { url: redis.url, timeout: '250ms' },
      edges: { 'astra-1': {} },
      backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' } },
    });
    worker = runProgram('test/support/dying-worker.mjs', [redis.url]);
    await eventually(() => worker.output().includes('ready'), { withinMs: 15_000 });
  }, 120_000);

  afterAll(async () => {
    worker?.signal('SIGKILL');
    await gateway?.end('SIGKILL');
    await Promise.all([redis?.stop(), portal?.stop()]);
  });

  const session = async (): Promise<string> => redis.cli('KEYS', 'usher:session:*');

  it('leaves a session that its gateway opens, though an Astra asks no second time', async () => {
    // Where a busy machine has the gateway ask by itself, nothing was lost: another viewer is asked about.
    const viewer = await eventually(async () => {
      const sessionId = String(performance.now());
      const { status, source } = await gateway.check({ sessionId, query: `token=${sessionId}` });
      expect(status).toBe(200);
      return source === 'backend' && sessionId;
    });
    expect(await worker.ended).toBeNull();
    expect(await session()).not.toContain(viewer);
    await eventually(async () => expect(await session()).toContain(`astra-1:${viewer}`), {
      withinMs: 30_000,
      everyMs: 250,
    });
    const key = (await session()).split('\n').find((line) => line.endsWith(`:${viewer}`))!;
    const [user, state] = (await redis.cli('HMGET', key, 'user', 'state')).split('\n');
    expect([user, state]).toEqual(['portal/anna', 'active']);
  }, 120_000);
});
