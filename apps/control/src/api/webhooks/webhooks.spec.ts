import type { ClusterClock, RedisClient } from '#usher/redis';
import { eventually } from '#usher/testing';
import type { ControlNode } from '../../control-node.js';
import { Queues } from '../../queues/queues.js';
import { DeadLetters } from '../../webhooks/dead-letters.js';
import { anEvent, startReceiver, type TestReceiver } from '../../webhooks/for-tests.js';
import { Webhooks } from '../../webhooks/webhooks.js';
import { CLOCK, NODE, REDIS } from '../endpoint/tokens.js';
import { OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';
import { WebhooksController } from './webhooks.controller.js';

let world: ApiWorld;
let receiver: TestReceiver;
let webhooks: Webhooks;
let queues: Queues;
let letters: DeadLetters;

/** As control has them, but for the waits. */
function makeWebhooks(node: ControlNode, redis: RedisClient, clock: ClusterClock): Webhooks {
  const { config, log, random, id } = node;
  queues = new Queues({ redis: config.redis, id, clock, random, log });
  const parts = { configs: config.webhooks, shards: ['00', '01'], queues, redis, clock, random, log };
  webhooks = new Webhooks({ ...parts, firstWait: 1, lookEvery: 100 });
  webhooks.start();
  return webhooks;
}

beforeAll(async () => {
  receiver = await startReceiver();
  const url = receiver.url.replace('//', '//usher:a-password@');
  world = await startApiWorld(
    { webhooks: [{ name: 'billing', url, secret: 'a secret of sixteen characters', events: ['*'] }] },
    {
      controllers: [WebhooksController],
      providers: [{ provide: Webhooks, useFactory: makeWebhooks, inject: [NODE, REDIS, CLOCK] }],
    },
  );
  letters = new DeadLetters(world.redis, world.clock);
});
beforeEach(async () => {
  receiver.answer = () => 204;
  await world.redis.call('DEL', ['usher:undelivered']);
});
afterAll(async () => {
  await webhooks?.stop();
  await queues?.close();
  await world?.stop();
  await receiver?.close();
});

const post = (path: string, token?: string) =>
  world.call(`/webhooks/${path}`, { method: 'POST', ...(token === undefined ? {} : { token }) });
const status = async () => (await world.get('/webhooks', { token: OBSERVER })).webhooks[0];

/** Given up, the oldest first. */
async function given(count: number, name = 'billing'): Promise<string[]> {
  const events = Array.from({ length: count }, (_, at) => anEvent('00', `s${at}`));
  for (const event of events) await letters.add(name, JSON.stringify(event), 'status 422');
  return events.map(({ id }) => id);
}
const listed = async (query = '') => world.get(`/webhooks/dead-letters${query}`);
const takenIds = (): string[] => receiver.taken().map(({ id }) => id);

describe('GET /webhooks', () => {
  it('says how receivers do, without what is secret in their addresses', async () => {
    expect(await status()).toEqual({
      name: 'billing',
      address: new URL(receiver.url).origin,
      events: ['*'],
      state: 'ok',
      waiting: 0,
      deliveredAt: null,
      failingSince: null,
      lastFailure: null,
    });
    receiver.answer = () => 500;
    await webhooks.take('00', [anEvent('00', '1'), anEvent('00', '2')]);
    await eventually(async () => (await status()).state === 'failing');
    expect(await status()).toMatchObject({
      waiting: 2,
      failingSince: expect.any(String),
      lastFailure: { why: 'status 500' },
    });
    receiver.answer = () => 204;
    await eventually(
      async () => {
        const { waiting, deliveredAt } = await status();
        return waiting === 0 && deliveredAt !== null;
      },
      { withinMs: 20_000 },
    );
    expect(await status()).toMatchObject({ state: 'ok', failingSince: null });
    expect((await world.call('/webhooks')).text).not.toMatch(/a-password|\/hook/);
  });
});

describe('dead letters', () => {
  it('are listed page after page, the newest first, of one webhook or of all', async () => {
    const ids = await given(5);
    await given(1, 'another');
    const first = await listed('?webhook=billing&limit=3');
    const second = await listed(`?webhook=billing&limit=3&cursor=${first.cursor}`);
    const found = [...first.deadLetters, ...second.deadLetters];
    expect(found.map(({ event }) => event.id)).toEqual(ids.reverse());
    expect([first.total, second.cursor]).toEqual([6, undefined]);
    expect(found[0]).toMatchObject({ webhook: 'billing', why: 'status 422' });
    expect((await listed()).deadLetters[0]).toMatchObject({ webhook: 'another' });
    expect((await world.call('/webhooks/dead-letters?cursor=x')).body.errors).toMatchObject([
      { parameter: 'cursor' },
    ]);
  });

  it('are sent again, one by one, once', async () => {
    const [id] = await given(1);
    const [letter] = (await listed()).deadLetters;
    expect(await post(`dead-letters/${letter.id}/send-again`)).toMatchObject({
      status: 200,
      body: { sent: 1 },
    });
    await eventually(() => takenIds().includes(id!));
    expect((await listed()).total).toBe(0);
    expect((await post(`dead-letters/${letter.id}/send-again`)).status).toBe(404);
    expect((await post('dead-letters/nonsense/send-again')).status).toBe(400);
  });

  it('are sent again all together, in their order', async () => {
    const ids = await given(7);
    expect((await post('billing/send-again')).body).toEqual({ sent: 7 });
    await eventually(() => takenIds().includes(ids[6]!));
    expect(takenIds().filter((id) => ids.includes(id))).toEqual(ids);
    expect((await post('billing/send-again')).body).toEqual({ sent: 0 });
    expect((await post('nobody/send-again')).status).toBe(404);
  });

  it('stay where their webhook is no longer configured, and say so', async () => {
    await given(1, 'another');
    const [letter] = (await listed()).deadLetters;
    const answer = await post(`dead-letters/${letter.id}/send-again`);
    expect([answer.status, answer.body.detail]).toEqual([409, expect.stringContaining('configured')]);
    expect((await listed()).total).toBe(1);
  });

  it('stay while their receiver is gone, until it is resumed', async () => {
    const [id] = await given(1);
    receiver.answer = () => 410;
    await webhooks.take('01', [anEvent('01', '1')]);
    await eventually(async () => (await status()).state === 'gone');
    const [letter] = (await listed()).deadLetters;
    const refused = await post(`dead-letters/${letter.id}/send-again`);
    expect([refused.status, refused.body.whatToDo]).toEqual([409, expect.stringContaining('resume')]);
    receiver.answer = () => 204;
    expect(await post('billing/resume')).toMatchObject({ status: 200, body: { resumed: true } });
    expect((await post('nobody/resume')).status).toBe(404);
    await eventually(async () => (await status()).state === 'ok');
    expect((await post(`dead-letters/${letter.id}/send-again`)).status).toBe(200);
    await eventually(() => takenIds().includes(id!));
  });

  it('are sent again by operators only, and the audit log knows by whom', async () => {
    await given(1);
    expect((await post('billing/send-again', OBSERVER)).status).toBe(403);
    expect((await listed()).total).toBe(1);
    await post('billing/send-again');
    const { entries } = await world.get('/audit?limit=1');
    expect(entries).toMatchObject([
      { by: 'anna', what: 'Send all dead letters of a webhook again', result: 'done' },
    ]);
  });
});
