import { silentLog } from '#usher/domain';
import type { Clock } from '#usher/domain';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { eventually, ManualClock, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { TimedFollower } from '../timed/timed-follower.js';
import { SwitchMemory, type SwitchChange } from './switch-memory.js';
import type { SwitchRecord } from './switch-record.js';
import { SwitchTable, type NewSwitch } from './switch-table.js';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const HOUR = 3_600_000;
const wanted = (part: Partial<NewSwitch> = {}): NewSwitch => ({
  kind: 'backend',
  name: 'portal',
  mode: 'maintenance',
  by: 'anna',
  reason: 'new disks',
  time: { lasts: HOUR },
  ...part,
});

let server: RedisProcess;
let redis: RedisClient;
let table: SwitchTable;
const followers: TimedFollower<SwitchRecord>[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  table = new SwitchTable(redis);
});

beforeEach(async () => {
  await redis.call('FLUSHALL', []);
});

afterEach(() => {
  for (const follower of followers.splice(0)) follower.stop();
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

function gateway() {
  const changes: SwitchChange[] = [];
  const memory = new SwitchMemory(clock, (change) => changes.push(change));
  const follower = new TimedFollower({ table, memory, redis, log: silentLog, every: 10 });
  followers.push(follower);
  return { memory, follower, changes, said: () => changes.map(({ what, name }) => `${name} ${what}`) };
}

describe('the table of switches', () => {
  it('is followed: what is set, replaced and lifted is known at the next look, with who and why', async () => {
    const { memory, follower, changes, said } = gateway();
    const until = Date.now() + HOUR;
    const set = await table.set(wanted({ time: { until } }));
    expect(set).toMatchObject({ kind: 'backend', name: 'portal', mode: 'maintenance', until, by: 'anna' });
    await follower.look();
    expect(memory.ofBackend('portal')).toMatchObject({ mode: 'maintenance', until, reason: 'new disks' });
    expect(memory.ofBackend('billing')).toBeUndefined();
    expect(memory.ofRoute('portal')).toBeUndefined();
    await table.set(wanted({ mode: 'closed', by: 'bob' }));
    await follower.look();
    expect([...memory.switches()]).toMatchObject([{ mode: 'closed', by: 'bob' }]);
    expect(await table.lift('backend', 'portal', 'carol', 'done')).toBe(true);
    expect(await table.lift('backend', 'portal', 'carol')).toBe(false);
    await follower.look();
    expect(memory.ofBackend('portal')).toBeUndefined();
    expect([...memory.switches()]).toEqual([]);
    expect(said()).toEqual(['portal set', 'portal set', 'portal lifted']);
    expect(changes.at(-1)).toMatchObject({ by: 'carol', reason: 'done', now: undefined });
  });

  it('has keys of its own beside those of holds, which end with the last of it', async () => {
    await table.set(wanted({ kind: 'route', name: 'sports' }));
    const keys = ['usher:{switches}', 'usher:{switches}:order', 'usher:{switches}:until'];
    expect(((await redis.call('KEYS', ['*'])) as string[]).sort()).toEqual(keys);
    expect(((await redis.call('HKEYS', [keys[0]!])) as string[]).sort()).toEqual(['#epoch', 'route:sports']);
    for (const key of keys) expect(Number(await redis.call('PTTL', [key]))).toBeGreaterThan(HOUR);
  });

  it('is given back to a Redis that came back empty, and what was lifted stays lifted', async () => {
    const one = gateway();
    await table.set(wanted());
    await table.set(wanted({ name: 'billing' }));
    await one.follower.look();
    await table.lift('backend', 'billing', 'anna');
    await one.follower.look();
    await redis.call('FLUSHALL', []);
    await one.follower.look();
    const late = gateway();
    await late.follower.look();
    expect(late.memory.ofBackend('portal')).toMatchObject({ mode: 'maintenance', by: 'anna' });
    expect(late.memory.ofBackend('billing')).toBeUndefined();
    expect(late.said()).toEqual(['portal set']);
  });

  it('ends by itself, and says so once', async () => {
    const { memory, follower, said } = gateway();
    follower.start();
    await table.set(wanted({ time: { lasts: 300 } }));
    await eventually(() => said().includes('portal over'));
    expect(memory.ofBackend('portal')).toBeUndefined();
    expect(said()).toEqual(['portal set', 'portal over']);
  });

  it('refuses a time that is past', async () => {
    await expect(table.set(wanted({ time: { until: Date.now() - 1 } }))).rejects.toThrow('past');
    await expect(table.set(wanted({ time: { lasts: -5 } }))).rejects.toThrow('past');
  });

  it('steps over what another version wrote', async () => {
    await table.set(wanted());
    const strange = {
      'backend:x': '1|9999999999999|0|{"v":2,"effect":"maintenance"}',
      'backend:y': '1|9999999999999|0|{"v":1,"effect":"sleep"}',
      'planet:mars': '1|9999999999999|0|{"v":1,"effect":"open"}',
      'backend:z': '1|99999999999999999|0|{"v":1,"effect":"open"}',
    };
    for (const [name, record] of Object.entries(strange)) {
      await redis.call('HSET', ['usher:{switches}', name, record]);
      await redis.call('ZADD', ['usher:{switches}:order', 1, name]);
    }
    const { memory, follower } = gateway();
    await follower.look();
    expect([...memory.switches()].map(({ name }) => name)).toEqual(['portal']);
  });
});

it('a switch is over at its time by the clock, whoever noticed', () => {
  const manual = new ManualClock();
  const memory = new SwitchMemory(manual, () => undefined);
  const since = manual.now();
  const record = { kind: 'route', name: 'sports', effect: 'closed', by: '', reason: '' } as const;
  memory.apply({ ...record, since, until: since + 1_000 });
  expect(memory.ofRoute('sports')?.mode).toBe('closed');
  expect(memory.ofRoute(undefined)).toBeUndefined();
  manual.advance(1_000);
  expect(memory.ofRoute('sports')).toBeUndefined();
  expect([...memory.switches()]).toEqual([]);
});
