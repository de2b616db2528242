import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { foreseen, LimitWorld, LISTED, SEEN, SHARDS } from './for-tests.js';
import { userShardOf } from '../registry/session-names.js';

const MINUTE = 60_000;
const phone = { viewerKey: 'phonephonephonephonephonep' };
const box = { viewerKey: 'boxboxboxboxboxboxboxboxbo' };
const tablet = { viewerKey: 'tablettablettablettabletta' };
const laptop = { viewerKey: 'laptoplaptoplaptoplaptopla' };

let server: RedisProcess;
let redis: RedisClient;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 5_000 });
  await redis.ready();
});

beforeEach(() => redis.call('FLUSHALL', []));

afterAll(async () => {
  await redis.close();
  await server.stop();
});

const outcomes = (came: readonly { readonly given: { readonly outcome: string } }[]): string[] =>
  came.map(({ given }) => given.outcome);

/** The events `limit.reached` of all shards, as their facts. */
async function told(): Promise<Record<string, string>[]> {
  const keys = (await server.cli('KEYS', 'usher:events:*')).split('\n').filter(Boolean);
  const entries = await Promise.all(keys.map((key) => redis.call('XRANGE', [key, '-', '+'])));
  return (entries.flat() as [string, string[]][])
    .map(([, fields]) => factsIn(fields))
    .filter(({ type }) => type === 'limit.reached');
}

function factsIn(fields: readonly string[]): Record<string, string> {
  const facts: Record<string, string> = {};
  for (let i = 0; i < fields.length; i += 2) facts[fields[i]!] = fields[i + 1]!;
  return facts;
}

describe('under deny-new', () => {
  it('as many devices as the cap are admitted, and the next one is over, until one leaves', async () => {
    const world = new LimitWorld(redis, { cap: 2 });
    const first = await world.comes(phone);
    const others = [await world.comes(box), await world.comes(laptop)];
    expect(outcomes([first, ...others])).toEqual(['admitted', 'admitted', 'over']);
    await world.leaves(first);
    world.clock.advance(10_000);
    expect(await world.comes(laptop)).toMatchObject({ given: { outcome: 'admitted' } });
  });

  it('of 1,000 who come at once exactly the cap is admitted', async () => {
    const world = new LimitWorld(redis, { cap: 3 });
    const all = Array.from({ length: 1_000 }, (_, i) => world.comes({ viewerKey: `d${i}d`.padEnd(26, 'x') }));
    expect(outcomes(await Promise.all(all)).filter((outcome) => outcome === 'admitted')).toHaveLength(3);
  });

  it('a device that watches already takes over its own place, on any edge and channel', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    await world.comes(box);
    const again = [
      await world.comes({ ...box, channel: 'b002' }),
      await world.comes({ ...box, edge: 'alta-1' }),
      await world.comes({ ...phone, edge: 'alta-1' }),
    ];
    expect(outcomes(again)).toEqual(['admitted', 'admitted', 'over']);
  });

  it('a user who is one device takes over his place, whatever his address', async () => {
    const world = new LimitWorld(redis, { cap: 1, device: 'user' });
    expect(outcomes([await world.comes(phone), await world.comes(box)])).toEqual(['admitted', 'admitted']);
  });

  it('users and namespaces do not share places', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    const came = [
      await world.comes(phone),
      await world.comes({ ...box, user: 'berta' }),
      await world.comes({ ...box, namespace: 'other' }),
    ];
    expect(outcomes(came)).toEqual(['admitted', 'admitted', 'admitted']);
  });

  it('the same session is admitted again and takes one place', async () => {
    const world = new LimitWorld(redis, { cap: 2, device: 'guess' });
    const wanted = { ...phone, sessionId: 'same' };
    await world.comes(wanted);
    await world.comes({ ...wanted, grace: LISTED });
    expect(await world.comes(box)).toMatchObject({ given: { outcome: 'admitted', watching: 1 } });
  });

  it('a session that was allowed earlier is never over, and counts', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    await world.comes(phone);
    const open = await world.comes({ ...box, how: 'open' });
    const next = await world.comes(laptop);
    expect(outcomes([open, next])).toEqual(['admitted', 'over']);
    expect(next.given.watching).toBe(2);
  });
});

describe('what counts for nothing', () => {
  it('a session whose end nobody tells', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    await world.comes({ ...phone, grace: 0 });
    expect(await world.comes(box)).toMatchObject({ given: { outcome: 'admitted', watching: 0 } });
    expect(await world.comes({ ...laptop, grace: 0 })).toMatchObject({ given: { outcome: 'over' } });
  });

  it('one that was admitted and never opened, after ten seconds', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    await world.slots.take(world.wanted(phone));
    world.clock.advance(9_000);
    expect(outcomes([await world.comes(box)])).toEqual(['over']);
    world.clock.advance(1_000);
    expect(outcomes([await world.comes(box)])).toEqual(['admitted']);
  });

  it('one that showed no sign of life within its grace, until it shows one', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    const first = await world.comes(phone);
    world.clock.advance(LISTED);
    await world.show(first);
    world.clock.advance(LISTED - 1);
    expect(outcomes([await world.comes(box)])).toEqual(['over']);
    world.clock.advance(1);
    const second = await world.comes(box);
    await world.show(first);
    expect(outcomes([second, await world.comes(laptop)])).toEqual(['admitted', 'over']);
  });

  it('one that is revoked', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    const first = await world.comes(phone);
    const shard = userShardOf('portal', 'anna', SHARDS);
    await redis.call('HSET', [`usher:session:{${shard}}:astra-1:${first.sessionId}`, 'state', 'revoked']);
    expect(outcomes([await world.comes(box)])).toEqual(['admitted']);
  });
});

describe('a guess of address and player', () => {
  const guessed = { device: 'guess', cap: 1 } as const;

  it('on another channel is a zap: the place is taken over, and the one that was left counts no more', async () => {
    const world = new LimitWorld(redis, { ...guessed, cap: 2 });
    const first = await world.comes(phone);
    const zapped = await world.comes({ ...phone, channel: 'b002' });
    expect(outcomes([zapped, await world.comes(box), await world.comes(laptop)])).toEqual([
      'admitted',
      'admitted',
      'over',
    ]);
    // As its edge does that lists it for a minute after it has gone.
    world.clock.advance(MINUTE);
    await world.show(first, zapped);
    world.clock.advance(MINUTE + 1);
    await world.show(zapped);
    expect((await world.comes(laptop)).given.watching).toBe(1);
    expect(await world.recount()).toEqual([]);
  });

  it('on the same channel is another box below the cap, and at the cap the player that came back', async () => {
    const world = new LimitWorld(redis, { ...guessed, cap: 2 });
    const came = [await world.comes(phone), await world.comes(phone), await world.comes(phone)];
    expect(outcomes(came)).toEqual(['admitted', 'admitted', 'admitted']);
    expect(came.map(({ given }) => given.watching)).toEqual([0, 1, 2]);
    expect(outcomes([await world.comes(box)])).toEqual(['over']);
  });

  it('does not pass for another guess, or for a named device', async () => {
    const world = new LimitWorld(redis, guessed);
    await world.comes(phone);
    const came = [
      await world.comes({ ...box, channel: 'b002' }),
      await world.comes({ ...phone, device: 'named', channel: 'b002' }),
    ];
    expect(outcomes(came)).toEqual(['over', 'over']);
  });

  it('that was wrong counts again when the one that was left shows itself: who came last is too many', async () => {
    const world = new LimitWorld(redis, guessed);
    const first = await world.comes(phone);
    world.clock.advance(1_000);
    const second = await world.comes({ ...phone, channel: 'b002' });
    for (let passed = 0; passed < LISTED; passed += 30_000) {
      await world.show(first, second);
      expect(await world.recount()).toEqual([]);
      world.clock.advance(30_000);
    }
    world.clock.advance(1_000);
    await world.show(first, second);
    const [surplus, ...more] = await world.recount();
    expect(more).toEqual([]);
    expect(surplus).toMatchObject({ namespace: 'portal', user: 'anna', cap: 1, mode: 'enforce' });
    expect(surplus!.sessions).toEqual([{ edge: 'astra-1', sessionId: second.sessionId }]);
    expect(surplus!.holdFor).toBe(60_000);
  });

  it('is not one too many while a session that has gone counts beside those that live', async () => {
    const world = new LimitWorld(redis, { ...guessed, cap: 2 });
    const other = await world.comes(phone);
    world.clock.advance(1_000);
    const left = await world.comes({ ...phone, channel: 'b002' });
    world.clock.advance(LISTED + 1_000);
    await world.show(other, left);
    expect(await world.recount()).toEqual([]);
    // A zap, and the other box is taken for the one that was left; the edge lists for a minute what was.
    const zapped = await world.comes({ ...phone, channel: 'c003' });
    world.clock.advance(MINUTE);
    await world.show(other, left, zapped);
    world.clock.advance(MINUTE + 1_000);
    await world.show(other, zapped);
    expect(await world.recount()).toEqual([]);
    expect((await world.comes({ ...phone, channel: 'c003', how: 'open' })).given.watching).toBe(3);
  });

  it('that was wrong counts for nothing on an edge that cannot be told to cut', async () => {
    const world = new LimitWorld(redis, { ...guessed, canCut: false });
    const both = [await world.comes(phone), await world.comes({ ...phone, channel: 'b002' })];
    world.clock.advance(LISTED + 1_000);
    await world.show(...both);
    world.clock.advance(1_000);
    expect(await world.recount()).toEqual([]);
  });

  it('under a name that comes again is too many only after it lived on beside the other for its grace', async () => {
    const world = new LimitWorld(redis, { ...guessed, isSeen: true, grace: SEEN });
    const first = await world.comes(phone);
    const second = await world.comes({ ...phone, channel: 'b002' });
    world.clock.advance(SEEN + 20_000);
    await world.show(second);
    // Back on the first channel: its gateway knows it, and asks nobody.
    world.clock.advance(5_000);
    await world.show(first);
    for (let passed = 0; passed < 120_000; passed += 10_000) {
      expect(await world.recount()).toEqual([]);
      world.clock.advance(10_000);
      await world.show(first);
    }
  });
});

describe('a session that is seen, and lives less long than others', () => {
  const SIX_MINUTES = 360_000;

  it.each([
    ['for the usual life', {}],
    ['for a life of its edge’s own', { seenLife: SIX_MINUTES }],
  ])('%s, counts within its grace after it showed itself, and not after that', async (_, life) => {
    const world = new LimitWorld(redis, { isSeen: true, grace: SEEN, ...life });
    const one = await world.comes(phone);
    for (let shown = 0; shown < 20; shown += 1) {
      world.clock.advance(20_000);
      await world.show(one);
    }
    world.clock.advance(SEEN - 1_000);
    expect(await world.comes(box)).toMatchObject({ given: { outcome: 'over' } });
    world.clock.advance(1_000);
    expect(await world.comes(box)).toMatchObject({ given: { outcome: 'admitted' } });
  });

  it('counts as before where a process of version N-1 gave it the life of the others', async () => {
    const world = new LimitWorld(redis, { isSeen: true, grace: SEEN });
    const one = await world.comes(phone);
    world.clock.advance(20_000);
    await world.show({ ...one, presence: 'listed' });
    world.clock.advance(SEEN - 1_000);
    expect(await world.comes(box)).toMatchObject({ given: { outcome: 'over' } });
    world.clock.advance(1_000);
    expect(await world.comes(box)).toMatchObject({ given: { outcome: 'admitted' } });
  });

  it('takes no more of Redis at the usual life, and a letter at another one', async () => {
    const world = new LimitWorld(redis, { isSeen: true, grace: SEEN, canCut: false });
    const [one, other] = [await world.comes(phone), await world.comes({ ...phone, seenLife: SIX_MINUTES })];
    const key = `usher:slots:{${userShardOf('portal', 'anna', SHARDS)}}:portal/anna`;
    const slotOf = async ({ sessionId }: { sessionId: string }) =>
      (await server.cli('HGET', key, `astra-1:${sessionId}`)).split('|')[2];
    expect([await slotOf(one), await slotOf(other)]).toEqual(['s', 'sF']);
  });
});

describe('under evict', () => {
  const evicting = { cap: 2, over: 'evict' } as const;

  it('whoever showed no sign of life for the longest goes, then whoever came first', async () => {
    const world = new LimitWorld(redis, evicting);
    const first = await world.comes(phone);
    world.clock.advance(1_000);
    const second = await world.comes(box);
    await world.show(first, second);
    world.clock.advance(1_000);
    const third = await world.comes(laptop);
    expect(third.given).toMatchObject({ outcome: 'evicts', isNews: true, watching: 2 });
    expect(third.given.surplus).toMatchObject({
      holdFor: 60_000,
      sessions: [{ edge: 'astra-1', sessionId: first.sessionId }],
    });
    await world.show(third);
    const fourth = await world.comes(phone);
    expect(fourth.given.surplus?.sessions).toEqual([{ edge: 'astra-1', sessionId: second.sessionId }]);
  });

  it('all sessions of a device go', async () => {
    const world = new LimitWorld(redis, { ...evicting, cap: 1 });
    const both = [await world.comes(phone), await world.comes({ ...phone, edge: 'astra-2' })];
    const { given } = await world.comes(box);
    expect(new Set(given.surplus!.sessions.map(({ sessionId }) => sessionId))).toEqual(
      new Set(both.map(({ sessionId }) => sessionId)),
    );
  });

  it('only those go whose edge can be told to cut; is there none, the newcomer is over', async () => {
    const world = new LimitWorld(redis, evicting);
    await world.comes({ ...phone, canCut: false });
    world.clock.advance(1_000);
    const second = await world.comes(box);
    const third = await world.comes({ ...laptop, canCut: false });
    expect(third.given.surplus?.sessions).toEqual([{ edge: 'astra-1', sessionId: second.sessionId }]);
    expect(outcomes([await world.comes(box)])).toEqual(['over']);
  });

  it('the evicted are not evicted again by the next one, and count again if they still live after ten seconds', async () => {
    const world = new LimitWorld(redis, { ...evicting, cap: 1 });
    const first = await world.comes(phone);
    const second = await world.comes(box);
    world.clock.advance(1_000);
    const third = await world.comes(laptop);
    expect(third.given.surplus?.sessions).toEqual([{ edge: 'astra-1', sessionId: second.sessionId }]);
    world.clock.advance(LISTED);
    await world.show(first, third);
    // Nobody told the gateways or the edge: those who evicted were killed.
    const [surplus] = await world.recount();
    expect(surplus?.sessions).toEqual([{ edge: 'astra-1', sessionId: first.sessionId }]);
  });

  it('two devices that fight for one place settle within four evictions in ten minutes', async () => {
    const world = new LimitWorld(redis, { ...evicting, cap: 1 });
    const heldUntil = new Map<string, number>();
    const started = world.clock.now();
    const at: number[] = [];
    let playing = await world.comes(phone);
    for (let second = 0; second < 3_600; second += 1) {
      for (const device of [phone, box]) {
        if (playing.viewerKey === device.viewerKey) continue;
        if ((heldUntil.get(device.viewerKey) ?? 0) > world.clock.now()) continue;
        const came = await world.comes(device);
        expect(came.given.outcome).toBe('evicts');
        at.push((world.clock.now() - started) / 1_000);
        heldUntil.set(playing.viewerKey, world.clock.now() + came.given.surplus!.holdFor);
        await world.leaves(playing);
        playing = came;
      }
      world.clock.advance(1_000);
      if (second % 30 === 0) await world.show(playing);
    }
    expect(at).toEqual([0, 60, 180, 420, 900, 1_800, 2_700]);
  });

  it('what is evicted within half a minute is one eviction of the series', async () => {
    const world = new LimitWorld(redis, { ...evicting, cap: 1 });
    await world.comes(phone);
    const holds = [];
    for (const [after, device] of [
      [0, box],
      [29_000, laptop],
      [30_000, tablet],
    ] as const) {
      world.clock.advance(after);
      holds.push((await world.comes(device)).given.surplus?.holdFor);
    }
    expect(holds).toEqual([60_000, 60_000, 120_000]);
  });

  it('a series of evictions is over ten minutes after its last hold', async () => {
    const world = new LimitWorld(redis, { ...evicting, cap: 1 });
    await world.comes(phone);
    expect((await world.comes(box)).given.surplus?.holdFor).toBe(60_000);
    world.clock.advance(MINUTE);
    expect((await world.comes(laptop)).given.surplus?.holdFor).toBe(120_000);
    world.clock.advance(13 * MINUTE);
    const later = await world.comes({ ...phone, how: 'open' });
    await world.show(later);
    expect((await world.comes(box)).given.surplus?.holdFor).toBe(60_000);
  });
});

describe('in mode observe', () => {
  it('everybody is admitted, and who would have been refused is named', async () => {
    const world = new LimitWorld(redis, { cap: 1, mode: 'observe' });
    const first = await world.comes(phone);
    const came = [first, await world.comes(box), await world.comes(laptop)];
    expect(outcomes(came)).toEqual(['admitted', 'over', 'over']);
    expect(came.map(({ given }) => given.watching)).toEqual([0, 1, 1]);
    await world.leaves(first);
    world.clock.advance(10_000);
    expect(outcomes([await world.comes(box)])).toEqual(['admitted']);
  });

  it('who would have been cut is named, and held by nobody', async () => {
    const world = new LimitWorld(redis, { cap: 1, mode: 'observe', over: 'evict' });
    const first = await world.comes(phone);
    const { given } = await world.comes(box);
    expect(given.outcome).toBe('evicts');
    expect(given.surplus).toMatchObject({
      mode: 'observe',
      holdFor: 0,
      sessions: [{ sessionId: first.sessionId }],
    });
    expect((await world.comes({ ...box, edge: 'astra-2' })).given.watching).toBe(1);
  });

  it('a count again in it cuts nobody, whatever was enforced before', async () => {
    const world = new LimitWorld(redis, { cap: 1, device: 'guess' });
    const both = [await world.comes(phone), await world.comes({ ...phone, channel: 'b002' })];
    world.clock.advance(LISTED + 1_000);
    await world.show(...both);
    world.clock.advance(1_000);
    expect(await world.recount('observe')).toMatchObject([{ mode: 'observe', holdFor: 0 }]);
    world.clock.advance(MINUTE);
    expect(await world.recount()).toEqual([]);
  });
});

describe('what is told', () => {
  it('a refusal, once a minute and user, with the count and the cap', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    await world.comes(phone);
    const news = [];
    for (let i = 0; i < 4; i += 1) {
      news.push((await world.comes(box)).given.isNews);
      world.clock.advance(30_000);
      await world.show((await world.comes(phone)) as never);
    }
    expect(news).toEqual([true, false, true, false]);
    const events = await told();
    expect(events).toHaveLength(2);
    const { outcome, user, cap, devices, mode, policy, session } = events[0]!;
    expect([outcome, user, cap, devices, mode, policy]).toEqual([
      'refused',
      'portal/anna',
      '1',
      '1',
      'enforce',
      'deny-new',
    ]);
    expect(session).toMatch(/^astra-1:anna-\d+$/);
  });

  it('each eviction, with those who go', async () => {
    const world = new LimitWorld(redis, { cap: 1, over: 'evict' });
    const first = await world.comes(phone);
    const second = await world.comes(box);
    expect(await told()).toMatchObject([
      { outcome: 'evicted', session: `astra-1:${second.sessionId}`, victims: `astra-1:${first.sessionId}` },
    ]);
  });
});

describe('what is kept', () => {
  it('is small: no slot is over 64 bytes, with the longest channel, and a user’s hash stays packed', async () => {
    const world = new LimitWorld(redis, { cap: 3 });
    for (const device of [phone, box, laptop]) await world.comes({ ...device, channel: 'c'.repeat(200) });
    const [key] = (await server.cli('KEYS', 'usher:slots:*')).split('\n');
    const values = (await redis.call('HVALS', [key!])) as string[];
    expect(Math.max(...values.map((value) => value.length))).toBeLessThanOrEqual(64);
    expect(await redis.call('OBJECT', ['ENCODING', key!])).toBe('listpack');
  });

  it('ends: with a TTL, and with the sessions at the next count', async () => {
    const world = new LimitWorld(redis, { cap: 2 });
    const both = [await world.comes(phone), await world.comes(box)];
    const [key] = (await server.cli('KEYS', 'usher:slots:*')).split('\n');
    for (const kept of [key!, ...(await server.cli('KEYS', 'usher:recount:*')).split('\n')]) {
      expect(Number(await redis.call('PTTL', [kept]))).toBeGreaterThan(0);
    }
    for (const session of both) await world.leaves(session);
    world.clock.advance(12 * 60 * MINUTE);
    await world.recount();
    expect(await redis.call('HKEYS', [key!])).toEqual(['#limit']);
    expect(await server.cli('KEYS', 'usher:recount:*')).toBe('');
  });

  it('is bounded for one user, who zaps as no human does', async () => {
    const world = new LimitWorld(redis, { cap: 1, device: 'guess' });
    const came = [];
    for (let i = 0; i < 520; i += 1) came.push(await world.comes({ ...phone, channel: `c${i}` }));
    expect(outcomes(came).lastIndexOf('admitted')).toBeLessThan(505);
    expect(outcomes(came).indexOf('over')).toBeGreaterThan(490);
    const [key] = (await server.cli('KEYS', 'usher:slots:*')).split('\n');
    expect(Number(await redis.call('HLEN', [key!]))).toBeLessThan(510);
    // Their list cannot be read: nobody tells that they have gone.
    world.clock.advance(LISTED);
    for (let i = 0; i < 50; i += 1) came.push(await world.comes({ ...phone, channel: `d${i}` }));
    expect(outcomes(came).lastIndexOf('over')).toBeLessThan(520);
    expect(came.map(({ given: { outcome, watching } }) => ({ outcome, watching }))).toEqual(
      came.map(foreseen),
    );
    expect(Number(await redis.call('HLEN', [key!]))).toBeLessThan(510);
  });
});

it('somebody who was admitted because Redis was late is counted, and his user looked at again', async () => {
  const world = new LimitWorld(redis, { cap: 1 });
  const first = await world.comes(phone);
  world.clock.advance(1_000);
  const late = await world.comes({ ...box, how: 'late' });
  expect(outcomes([late])).toEqual(['admitted']);
  let surplus: unknown[] = [];
  for (let passed = 0; passed < 200_000 && surplus.length === 0; passed += 10_000) {
    world.clock.advance(10_000);
    await world.show(first, late);
    surplus = await world.recount();
  }
  expect(surplus).toMatchObject([{ sessions: [{ sessionId: late.sessionId }] }]);
});

describe('a look', () => {
  it('says what would become of a newcomer, and how many devices count', async () => {
    const world = new LimitWorld(redis, { cap: 2 });
    const looks = async (changes: object) => world.slots.look(world.wanted(changes));
    expect(await looks(phone)).toEqual({ outcome: 'admitted', watching: 0 });
    const came = await world.comes(phone);
    await world.comes(box);
    expect(await looks(tablet)).toEqual({ outcome: 'over', watching: 2 });
    expect(await looks({ ...tablet, over: 'evict' })).toEqual({ outcome: 'evicts', watching: 2 });
    expect(await looks({ ...phone, channel: 'a002' })).toEqual({ outcome: 'takes-over', watching: 2 });
    // He has a place already.
    expect(await world.slots.look(came.wanted)).toEqual({ outcome: 'admitted', watching: 1 });
    expect(await looks({ ...tablet, user: 'bob' })).toEqual({ outcome: 'admitted', watching: 0 });
  });

  it('knows a guess that is another box from the player that came back', async () => {
    const world = new LimitWorld(redis, { cap: 2, device: 'guess' });
    const looks = async (changes: object) => (await world.slots.look(world.wanted(changes))).outcome;
    await world.comes(phone);
    expect(await looks(phone)).toBe('admitted');
    expect(await looks({ ...phone, channel: 'a002' })).toBe('takes-over');
    await world.comes(phone);
    expect(await looks(phone)).toBe('takes-over');
    expect(await looks(box)).toBe('over');
  });

  it('knows who is admitted anew though he counted no more, and who is not', async () => {
    const world = new LimitWorld(redis, { cap: 1 });
    const first = await world.comes(phone);
    world.clock.advance(LISTED);
    await world.comes(box);
    // Silent for too long, it counts for nothing, and keeps its place.
    const silent = await world.slots.look(first.wanted);
    expect(silent).toEqual({ outcome: 'admitted', watching: 1 });
    expect(await world.slots.take(first.wanted)).toMatchObject({ outcome: 'admitted', watching: 1 });
    const observed = await world.comes({ ...laptop, mode: 'observe' });
    expect((await world.slots.look(observed.wanted)).outcome).toBe('over');
    expect((await world.slots.take(observed.wanted)).outcome).toBe('over');
  });

  it('changes nothing, though there is something to tidy up', async () => {
    const world = new LimitWorld(redis, { cap: 1, device: 'guess' });
    const left = await world.comes({ ...phone, channel: 'a001' });
    const gone = await world.comes({ ...phone, channel: 'a002' });
    await world.leaves(gone);
    // The one that was zapped away shows that it lives: its slot is to be written anew.
    world.clock.advance(LISTED + 1_000);
    await world.show(left);
    const dump = async (): Promise<unknown> => {
      const keys = (await server.cli('KEYS', 'usher:*')).split('\n').sort();
      return Promise.all(keys.map(async (key) => [key, (await redis.call('DUMP', [key])) as string]));
    };
    const before = await dump();
    await world.slots.look(world.wanted({ ...tablet, over: 'evict' }));
    await world.slots.look(world.wanted({ ...phone, channel: 'a003' }));
    expect(await dump()).toEqual(before);
  });
});
