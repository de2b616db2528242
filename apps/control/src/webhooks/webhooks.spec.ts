import { createHmac } from 'node:crypto';
import { webhookSchema } from '#usher/config';
import { silentLog } from '#usher/domain';
import { ClusterClock, connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import type { LifecycleEvent } from '#usher/sessions';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { Queues } from '../queues/queues.js';
import { DeadLetters } from './dead-letters.js';
import { anEvent, startReceiver, type TestReceiver } from './for-tests.js';
import { Webhooks } from './webhooks.js';

const SHARDS = ['00', '01', '02', '03'];
const SECRET = 'a secret of sixteen characters';
let server: RedisProcess;
let redis: RedisClient;
let clock: ClusterClock;
let one: TestReceiver;
let two: TestReceiver;
const closing: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startRedis({ persist: true });
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
  clock = new ClusterClock(redis);
  await clock.start();
});
beforeEach(async () => {
  await redis.call('FLUSHALL', []);
  [one, two] = await Promise.all([startReceiver(), startReceiver()]);
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await Promise.all([one.close(), two.close()]);
});
afterAll(async () => {
  clock.stop();
  await redis.close();
  await server.stop();
});

/** As one control process has them. Each waits 1 ms after a first failure. */
function someWebhooks(...configs: readonly object[]): Webhooks {
  const shared = { clock, random: Math.random, log: silentLog };
  const queues = new Queues({ redis: { url: server.url }, id: 'test', ...shared });
  const webhooks = new Webhooks({
    ...shared,
    configs: configs.map((config) => webhookSchema.parse({ secret: SECRET, events: ['*'], ...config })),
    shards: SHARDS,
    queues,
    redis,
    firstWait: 1,
    lookEvery: 200,
    chokesFor: 500,
  });
  webhooks.start();
  closing.push(async () => {
    await webhooks.stop();
    await queues.close();
  });
  return webhooks;
}

const idsOf = (events: readonly LifecycleEvent[]): string[] => events.map(({ id }) => id);
const few = (shard: string, count: number): LifecycleEvent[] =>
  Array.from({ length: count }, (_, n) => anEvent(shard, `s${n}`));

describe('Webhooks', () => {
  it('post what a receiver wants, signed, several events together', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url, events: ['session.closed', 'breaker.*'] });
    const closed = anEvent('00', '1', 'session.closed');
    const breaker = anEvent('00', '1', 'breaker.suspended');
    await webhooks.take('00', [anEvent('00', '1'), closed, anEvent('00', '1', 'check.denied'), breaker]);
    await eventually(() => one.taken().length >= 2);
    expect(one.taken()).toEqual([closed, breaker]);
    const [{ headers, body }] = one.received as [(typeof one.received)[0]];
    const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`;
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', SECRET).update(signed).digest('base64')}`,
    );
    expect(headers['webhook-id']).toBe(`${closed.id}_2`);
    expect(Math.abs(Number(headers['webhook-timestamp']) * 1_000 - Date.now())).toBeLessThan(60_000);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['authorization']).toBeUndefined();
  });

  it('send the password of an address as a header', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url.replace('//', '//usher:p%40ss@') });
    await webhooks.take('00', few('00', 1));
    await eventually(() => one.taken().length === 1);
    expect(one.received[0]!.headers['authorization']).toBe(`Basic ${btoa('usher:p@ss')}`);
  });

  it('deliver in order and once, whatever fails in between', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url, batch: 4 });
    const asked = new Map<string, number>();
    let failed = 0;
    one.answer = ({ events }, response) => {
      // It takes one of three of each lane, whatever others do; the rest end in every other way.
      const lane = events[0]!.id.slice(-2);
      const count = (asked.get(lane) ?? 0) + 1;
      asked.set(lane, count);
      if (count % 3 === 0) return 200;
      if (count % 3 === 1) return [500, 503, 404, 302, 429][(failed += 1) % 5]!;
      response.socket?.destroy();
    };
    const lanes = SHARDS.map((shard) => few(shard, 12));
    for (const [at, events] of lanes.entries()) {
      await webhooks.take(SHARDS[at]!, events.slice(0, 8));
      await webhooks.take(SHARDS[at]!, events.slice(8));
    }
    await eventually(() => one.taken().length >= 12 * SHARDS.length, { withinMs: 60_000 });
    for (const events of lanes) {
      const shard = events[0]!.id.slice(-2);
      expect(idsOf(one.taken()).filter((id) => id.endsWith(shard))).toEqual(idsOf(events));
    }
    expect((await webhooks.listDeadLetters()).letters).toEqual([]);
  }, 180_000);

  it('deliver once what is handed over twice', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    const events = few('00', 5);
    await webhooks.take('00', events.slice(0, 3));
    await webhooks.take('00', events);
    await eventually(() => one.taken().length >= 5);
    await webhooks.take('00', events);
    const last = anEvent('00', 'last');
    await webhooks.take('00', [last]);
    await eventually(() => one.taken().some(({ id }) => id === last.id));
    expect(idsOf(one.taken())).toEqual([...idsOf(events), last.id]);
  });

  it('do not let a receiver that hangs delay another', async () => {
    one.answer = () => undefined;
    const webhooks = someWebhooks(
      { name: 'one', url: one.url, timeout: '20s', concurrency: 1 },
      { name: 'two', url: two.url, concurrency: 1, batch: 1 },
    );
    for (const shard of SHARDS) await webhooks.take(shard, few(shard, 10));
    await eventually(() => two.taken().length >= 40);
    expect(one.received).toHaveLength(1);
    // So that it need not be waited for at the end.
    await one.close();
  });

  it('give up a delivery that takes too long, and try it again', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url, timeout: '100ms' });
    one.answer = () => (one.received.length < 3 ? undefined : 200);
    const events = few('00', 2);
    await webhooks.take('00', events);
    await eventually(() => one.taken().length >= 2);
    expect(one.received).toHaveLength(3);
    expect(idsOf(one.taken())).toEqual(idsOf(events));
  });

  it('put an event aside whose content is refused, deliver the others, and send it again when told to', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    const events = few('00', 20);
    const bad = events[11]!;
    one.answer = ({ events: sent }) => (sent.some(({ id }) => id === bad.id) ? 422 : 200);
    await webhooks.take('00', events);
    await eventually(() => one.taken().length >= 19, { withinMs: 20_000 });
    expect(idsOf(one.taken())).toEqual(idsOf(events.filter((event) => event !== bad)));
    const { letters, next } = await webhooks.listDeadLetters({ limit: 1 });
    expect(letters).toMatchObject([{ receiver: 'one', why: 'status 422', event: bad }]);
    expect(await webhooks.listDeadLetters({ after: next! })).toEqual({ letters: [] });
    one.answer = () => 200;
    expect(await webhooks.sendAgain(letters[0]!.id)).toBe('sent');
    await eventually(() => idsOf(one.taken()).includes(bad.id));
    expect(await webhooks.sendAgain(letters[0]!.id)).toBe('unknown');
    expect(await webhooks.deadLetterCount()).toBe(0);
    await expect(webhooks.sendAgain('nonsense')).rejects.toThrow('dead letter');
  });

  it('put an event aside that keeps failing while others are taken', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    const events = few('00', 5);
    const bad = events[2]!;
    one.answer = ({ events: sent }) => (sent.some(({ id }) => id === bad.id) ? 500 : 200);
    await webhooks.take('00', events);
    const others = async (): Promise<boolean> => {
      await webhooks.take('01', few('01', 1));
      return idsOf(one.taken()).includes(events[4]!.id);
    };
    await eventually(others, { withinMs: 20_000, everyMs: 50 });
    expect(idsOf(one.taken()).filter((id) => id.endsWith('-00'))).toEqual(
      idsOf(events.filter((event) => event !== bad)),
    );
    expect((await webhooks.listDeadLetters()).letters).toMatchObject([{ why: 'status 500', event: bad }]);
  });

  it('put nothing aside while the receiver takes nothing at all', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    one.answer = () => 500;
    const events = few('00', 5);
    await webhooks.take('00', events);
    await eventually(() => one.received.length >= 11, { withinMs: 20_000 });
    expect(await webhooks.deadLetterCount()).toBe(0);
    one.answer = () => 200;
    await eventually(() => one.taken().length >= 5, { withinMs: 20_000 });
    expect(idsOf(one.taken())).toEqual(idsOf(events));
  });

  it('give events up that are too old, and say so', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url, retryFor: '1s' });
    await one.close();
    const events = few('00', 3);
    await webhooks.take('00', events);
    await eventually(async () => (await webhooks.deadLetterCount()) === 3, { withinMs: 20_000 });
    const { letters } = await webhooks.listDeadLetters();
    expect(idsOf(letters.map(({ event }) => event)).reverse()).toEqual(idsOf(events));
    expect(letters[0]!.why).toBe('ECONNREFUSED');
    // Counted when the last of them is written.
    await eventually(() =>
      expect(webhooks.counts().get('one')!.events).toMatchObject({ delivered: 0, dead: 3 }),
    );
    one = await startReceiver();
  });

  it('stop where the receiver is gone (410), until it is welcome again', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    one.answer = () => 410;
    await webhooks.take('00', few('00', 3));
    await eventually(() => webhooks.problems().length > 0);
    expect(webhooks.problems()).toEqual(['webhook one: its receiver is gone (410)']);
    await webhooks.take('00', few('00', 3));
    expect(one.received).toHaveLength(1);
    // What waited is counted when it is gone.
    await eventually(() => expect(webhooks.counts().get('one')!.events.dropped).toBe(6));
    one.answer = () => 200;
    expect(await webhooks.welcomeBack('one')).toBe(true);
    await eventually(async () => {
      await webhooks.take('00', few('00', 1));
      return one.taken().length > 0;
    });
    expect(await webhooks.welcomeBack('nobody')).toBe(false);
  });

  it('send all of a receiver’s dead letters again, in their order, and no other’s', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    const letters = new DeadLetters(redis, clock);
    const events = few('00', 12);
    for (const event of events) {
      await letters.add('one', JSON.stringify(event), 'status 500');
      await letters.add('two', JSON.stringify(anEvent('00', 'x')), 'status 500');
    }
    const listed = await webhooks.listDeadLetters({ receiver: 'one', limit: 5 });
    expect(idsOf(listed.letters.map(({ event }) => event))).toEqual(idsOf(events).reverse().slice(0, 5));
    const rest = await webhooks.listDeadLetters({ receiver: 'one', after: listed.next! });
    expect(rest.letters).toHaveLength(7);
    expect(rest.next).toBeUndefined();
    expect(await webhooks.sendAllAgain('one')).toBe(12);
    await eventually(() => one.taken().length >= 12);
    expect(idsOf(one.taken())).toEqual(idsOf(events));
    expect(await webhooks.deadLetterCount()).toBe(12);
    expect([await webhooks.sendAllAgain('one'), await webhooks.sendAllAgain('two')]).toEqual([
      0,
      'no-receiver',
    ]);
  });

  it('keep dead letters that could not be sent again: of a receiver that is gone, and beyond its backlog', async () => {
    // 100 in 5 lanes.
    const webhooks = someWebhooks({ name: 'one', url: one.url, backlog: 100 });
    const letters = new DeadLetters(redis, clock);
    for (const event of few('00', 25)) await letters.add('one', JSON.stringify(event), 'status 500');
    one.answer = () => 410;
    await webhooks.take('00', few('00', 1));
    await eventually(() => webhooks.problems().length > 0);
    const { id } = (await webhooks.listDeadLetters()).letters[0]!;
    expect([await webhooks.sendAgain(id), await webhooks.sendAllAgain('one')]).toEqual(['gone', 'gone']);
    one.answer = () => 500;
    await webhooks.welcomeBack('one');
    expect(await webhooks.sendAllAgain('one')).toBe(20);
    expect([await webhooks.sendAgain(id), await webhooks.sendAllAgain('one')]).toEqual(['full', 'full']);
    expect(await webhooks.deadLetterCount()).toBe(5);
  });

  it('say since when something cannot be delivered', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url }, { name: 'two', url: two.url });
    one.answer = () => 500;
    const before = clock.now();
    for (const shard of ['00', '01']) await webhooks.take(shard, few(shard, 1));
    await eventually(() => webhooks.statuses()[0]!.failingSince > 0);
    expect(Math.abs(webhooks.statuses()[0]!.failingSince - before)).toBeLessThan(60_000);
    expect(webhooks.statuses()[1]!.failingSince).toBe(0);
    one.answer = () => 200;
    await eventually(() => webhooks.statuses()[0]!.failingSince === 0, { withinMs: 20_000 });
  });

  it('follow no redirect', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    one.answer = (_, response) => void response.writeHead(307, { location: two.url }).end();
    await webhooks.take('00', few('00', 1));
    await eventually(() => one.received.length >= 3);
    expect(two.received).toEqual([]);
  });

  it('do not read an answer without end', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url, timeout: '20s' });
    let closed = false;
    one.answer = (_, response) => {
      response.writeHead(200);
      response.on('close', () => (closed = true));
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', more);
      more();
    };
    await webhooks.take('00', few('00', 1));
    await eventually(() => closed);
    await eventually(() => webhooks.counts().get('one')!.events.delivered === 1);
  });

  it('wait as long as the receiver asks for', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    const times: number[] = [];
    one.answer = (_, response) => {
      times.push(performance.now());
      if (times.length > 1) return 200;
      response.writeHead(503, { 'retry-after': '1' }).end();
    };
    await webhooks.take('00', few('00', 1));
    await eventually(() => one.taken().length === 1);
    expect(times[1]! - times[0]!).toBeGreaterThan(900);
  });

  it('keep no more than the backlog: the oldest go, and are counted', async () => {
    const webhooks = someWebhooks({ name: 'one', url: one.url, backlog: 100 });
    one.answer = () => 500;
    // 100 in 5 lanes.
    const events = few('00', 50);
    await webhooks.take('00', events);
    expect(webhooks.counts().get('one')!.events.dropped).toBe(30);
    one.answer = () => 200;
    await eventually(() => one.taken().length >= 20, { withinMs: 20_000 });
    expect(idsOf(one.taken())).toEqual(idsOf(events.slice(30)));
  });

  it('go on where another process died, and through a Redis that restarts', async () => {
    one.answer = () => 500;
    const dying = someWebhooks({ name: 'one', url: one.url });
    const events = few('00', 10);
    await dying.take('00', events);
    await eventually(() => one.received.length > 2);
    await closing.pop()!();
    const living = someWebhooks({ name: 'one', url: one.url });
    await server.restart();
    one.answer = () => 200;
    await eventually(() => one.taken().length >= 10, { withinMs: 30_000 });
    expect(idsOf(one.taken())).toEqual(idsOf(events));
    await eventually(() => living.take('00', few('00', 1)).then(() => true));
  });

  it('leave no key without end but the queues’ own', async () => {
    one.answer = ({ events }) => (events.length > 1 || events[0]!.session === 's0' ? 400 : 200);
    const webhooks = someWebhooks({ name: 'one', url: one.url });
    await webhooks.take('00', few('00', 2));
    await eventually(async () => (await webhooks.deadLetterCount()) === 1, { withinMs: 20_000 });
    await eventually(() => one.taken().length === 1);
    const keys = (await server.cli('KEYS', 'usher:*')).split('\n').sort();
    expect(keys).toEqual(['usher:outbox:{00}:one', 'usher:receiver:one', 'usher:undelivered']);
    for (const key of keys) expect(Number(await redis.call('PTTL', [key]))).toBeGreaterThan(0);
    await eventually(async () => (await server.cli('KEYS', '{usher}:webhook-one:lane*')) === '');
  });
});
