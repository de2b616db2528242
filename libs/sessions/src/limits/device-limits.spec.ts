import fc from 'fast-check';
import { connectRedis } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { foreseen, LimitWorld, LISTED, SEEN, type Watching } from './for-tests.js';

/** A gateway tells signs of life, and an edge's list is read, so often, s. */
const TOLD_EVERY = { seen: 10, listed: 36 };
/** An edge lists a session so long after its player has gone, s. */
const LISTED_ON = 60;

let server: RedisProcess;
let redis: RedisClient;
let worlds = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis({ url: server.url, timeout: 10_000 });
  await redis.ready();
});

afterAll(async () => {
  await redis.close();
  await server.stop();
});

type Way = 'seen' | 'listed';

/** Equal boxes behind one address, and the edge or gateway that tells of them. Time goes by in seconds. */
class Household {
  readonly world: LimitWorld;
  second = 0;
  cut = 0;
  refused = 0;
  /** By box: what it plays. */
  readonly playing: (Watching | undefined)[];
  /** Players that have gone from sessions which their edge still tells of, or has not told the end of. */
  readonly #left: { readonly session: Watching; readonly at: number }[] = [];
  #channels = 0;

  constructor(
    private readonly way: Way,
    cap: number,
    boxes: number,
    over: 'deny-new' | 'evict' = 'deny-new',
  ) {
    const isSeen = way === 'seen';
    const grace = isSeen ? SEEN : LISTED;
    worlds += 1;
    this.world = new LimitWorld(redis, { cap, over, device: 'guess', isSeen, grace }, `home-${worlds}`);
    this.playing = Array.from({ length: boxes }, () => undefined);
  }

  /** A box turns to another channel; whoever looked away from it is told of for a while. */
  async zap(box: number, channel = `c${(this.#channels += 1)}`): Promise<void> {
    const before = this.playing[box];
    if (before !== undefined) this.#left.push({ session: before, at: this.second });
    const came = await this.world.comes({ channel });
    expect(came.given).toMatchObject(foreseen(came));
    if (came.given.outcome === 'over') this.refused += 1;
    this.playing[box] = came.given.outcome === 'over' ? undefined : came;
    await this.#cut(came.given.surplus?.sessions ?? []);
  }

  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i += 1) {
      this.second += 1;
      this.world.clock.advance(1_000);
      if (this.second % TOLD_EVERY[this.way] === 0) await this.#tell();
      if (this.second % 5 === 0) {
        for (const { sessions } of await this.world.recount()) await this.#cut(sessions);
      }
    }
  }

  get watching(): number {
    return this.playing.filter(Boolean).length;
  }

  async #tell(): Promise<void> {
    const since = this.second - (this.way === 'seen' ? TOLD_EVERY.seen : LISTED_ON);
    const left = this.#left.filter(({ at }) => at > since).map(({ session }) => session);
    await this.world.show(...this.playing.filter((session) => session !== undefined), ...left);
    if (this.way !== 'listed') return;
    // Two lists in a row lack them.
    const over = this.#left.filter(({ at }) => at <= since - TOLD_EVERY.listed);
    for (const one of over) {
      await this.world.leaves(one.session);
      this.#left.splice(this.#left.indexOf(one), 1);
    }
  }

  async #cut(names: readonly { readonly sessionId: string }[]): Promise<void> {
    for (const { sessionId } of names) {
      const box = this.playing.findIndex((session) => session?.sessionId === sessionId);
      if (box === -1) continue;
      this.cut += 1;
      await this.world.leaves(this.playing[box]!);
      this.playing[box] = undefined;
    }
  }
}

const way = fc.constantFrom<Way>('seen', 'listed');
const over = fc.constantFrom('deny-new', 'evict');
const runs = { numRuns: 30 };

describe.each<Way>(['seen', 'listed'])('a viewer whose sessions are %s', (how) => {
  it('and who zaps every second for ten minutes is never refused nor cut, with a cap of one', async () => {
    const home = new Household(how, 1, 1);
    for (let second = 0; second < 600; second += 1) {
      // To and fro as well: each time a session of its own.
      await home.zap(0, `c${second % 7}`);
      await home.pass(1);
    }
    await home.pass(300);
    expect(home).toMatchObject({ refused: 0, cut: 0, watching: 1 });
  });
});

/** Who zaps when, in an order and at a pace of which the guess knows nothing. */
const zaps = fc.array(fc.record({ box: fc.nat(), after: fc.integer({ min: 0, max: 90 }) }), {
  maxLength: 30,
});

it('as many equal boxes behind one address as the cap, or fewer, are never refused nor cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      way,
      over,
      fc.integer({ min: 1, max: 5 }),
      fc.nat(3),
      zaps,
      async (how, policy, boxes, spare, turns) => {
        const home = new Household(how, boxes + spare, boxes, policy);
        for (const box of home.playing.keys()) await home.zap(box);
        for (const { box, after } of turns) {
          await home.pass(after);
          await home.zap(box % boxes);
        }
        await home.pass(400);
        expect(home).toMatchObject({ refused: 0, cut: 0, watching: boxes });
      },
    ),
    runs,
  );
}, 120_000);

it('of more equal boxes than the cap exactly the cap plays on after the grace', async () => {
  await fc.assert(
    fc.asyncProperty(
      way,
      over,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat(20),
      fc.boolean(),
      async (how, policy, cap, more, apart, isSameChannel) => {
        const home = new Household(how, cap, cap + more, policy);
        for (const box of home.playing.keys()) {
          await home.zap(box, isSameChannel ? 'same' : `c${box}`);
          await home.pass(apart);
        }
        expect(home.refused).toBe(0);
        await home.pass(how === 'seen' ? 120 : 240);
        expect(home.watching).toBe(cap);
        await home.pass(600);
        expect(home.watching).toBe(cap);
      },
    ),
    runs,
  );
}, 120_000);

it('known devices are never more than the cap, whoever comes and goes', async () => {
  const step = fc.record({
    device: fc.nat(6),
    does: fc.constantFrom('comes', 'comes', 'leaves', 'waits'),
    edge: fc.constantFrom('astra-1', 'astra-2'),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      over,
      fc.array(step, { maxLength: 60 }),
      async (cap, policy, steps) => {
        worlds += 1;
        const world = new LimitWorld(redis, { cap, over: policy }, `user-${worlds}`);
        const playing: Watching[] = [];
        const devices = (): number => new Set(playing.map(({ viewerKey }) => viewerKey)).size;
        for (const { device, does, edge } of steps) {
          const viewerKey = `d${device}`.padEnd(26, 'x');
          if (does === 'waits') {
            world.clock.advance(30_000);
            await world.show(...playing);
          } else if (does === 'leaves') {
            for (const session of playing.filter((one) => one.viewerKey === viewerKey)) {
              await world.leaves(session);
              playing.splice(playing.indexOf(session), 1);
            }
          } else {
            const came = await world.comes({ viewerKey, edge });
            expect(came.given).toMatchObject(foreseen(came));
            for (const { sessionId } of came.given.surplus?.sessions ?? []) {
              const at = playing.findIndex((session) => session.sessionId === sessionId);
              if (at !== -1) await world.leaves(playing.splice(at, 1)[0]!);
            }
            // With room to spare only somebody who left within ten seconds is in the way.
            if (came.given.outcome !== 'over') playing.push(came);
            else expect(came.given.watching).toBeGreaterThanOrEqual(cap);
          }
          expect(devices()).toBeLessThanOrEqual(cap);
        }
      },
    ),
    { numRuns: 200 },
  );
}, 120_000);
