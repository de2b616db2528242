import { connectRedis, type RedisClient } from '#usher/redis';
import { startRedis, type RedisProcess } from '#usher/testing';
import { CanaryKeeper } from './canary-keeper.js';
import { NOTHING_SHOWN, type CanaryRecord } from './canary-record.js';

const KEY = 'usher:canary:{portal}';
const shown = { request: 'r'.repeat(26), right: false, inARow: 2, wrong: true, proven: true };
const record: CanaryRecord = { since: 1_000, until: 2_000, deny: shown };

let server: RedisProcess;
let redis: RedisClient;
let keeper: CanaryKeeper;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  keeper = new CanaryKeeper(redis);
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

describe('what canaries have shown', () => {
  it('is kept for a day, legibly', async () => {
    expect(await keeper.read('portal')).toEqual(NOTHING_SHOWN);
    await keeper.write('portal', record);
    expect(await keeper.read('portal')).toEqual(record);
    expect(Number(await server.cli('PTTL', KEY))).toBeGreaterThan(86_000_000);
    expect(await server.cli('GET', KEY)).toContain('"deny":{"request":');
  });

  it.each([
    ['garbage', '{'],
    ['another version', JSON.stringify({ version: 2, ...record })],
    ['no record', '17'],
    ['no times', JSON.stringify({ version: 1, deny: shown })],
  ])('is nothing where it cannot be read: %s', async (_, text) => {
    await redis.call('SET', [KEY, text]);
    expect(await keeper.read('portal')).toEqual(NOTHING_SHOWN);
  });

  it('is read without what cannot be read, and with what a newer version adds', async () => {
    const newer = { version: 1, ...record, allow: { right: 'yes' }, deny: { ...shown, more: 1 }, more: 1 };
    await redis.call('SET', [KEY, JSON.stringify(newer)]);
    expect(await keeper.read('portal')).toEqual({ ...record, deny: { ...shown, more: 1 } });
  });
});
