import { execFileSync } from 'node:child_process';
import { Logger } from '@nestjs/common';
import type { MessageHandler } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import { eventually, startRedis } from '#usher/testing';
import type { RedisProcess } from '#usher/testing';
import { BUS_REDIS_OPTIONS, Membership, StreamClient, StreamServer } from './index.js';
import type { Outcome, StreamClientOptions, StreamServerOptions } from './index.js';

/** A handler that waits until it is told to go on. */
class Gate {
  readonly waiting: (() => void)[] = [];
  readonly seen: unknown[] = [];

  readonly handler = async (data: unknown): Promise<unknown> => {
    this.seen.push(data);
    await new Promise<void>((resolve) => this.waiting.push(resolve));
    return data;
  };

  openAll(): void {
    for (const go of this.waiting.splice(0)) go();
  }
}

const echo = async (data: unknown): Promise<unknown> => data;

// What it logs is expected here.
Logger.overrideLogger(false);

describe('requests', () => {
  let redis: RedisProcess;
  let prefix: string;
  let count = 0;
  const closers: (() => Promise<void>)[] = [];

  const connect = (): Redis => new Redis(redis.url, { ...BUS_REDIS_OPTIONS });

  async function server(
    handler: (data: never) => Promise<unknown>,
    options: Partial<StreamServerOptions> = {},
  ): Promise<StreamServer> {
    const made = new StreamServer({ connect, prefix, ...options });
    made.addHandler('work', handler as MessageHandler);
    await made.listen((error) => {
      if (error !== undefined) throw error as Error;
    });
    await eventually(() => made.consuming);
    closers.push(() => made.close());
    return made;
  }

  async function client(options: Partial<StreamClientOptions> = {}): Promise<StreamClient> {
    const made = new StreamClient({ connect, prefix, ...options });
    await made.connect();
    closers.push(() => made.close());
    return made;
  }

  beforeAll(async () => {
    redis = await startRedis();
  });

  beforeEach(() => {
    count += 1;
    prefix = `test-${count}`;
  });

  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
  });

  afterAll(async () => {
    await redis.stop();
  });

  it('each reaches exactly one of three servers', async () => {
    const seen: number[] = [];
    const by = [0, 0, 0];
    for (const index of by.keys()) {
      await server(
        async (n: number) => {
          seen.push(n);
          by[index]! += 1;
        },
        { lanes: { main: 4 } },
      );
    }
    const asker = await client();
    const outcomes = await Promise.all(
      Array.from({ length: 3000 }, (_, n) => asker.request('work', n, { deadlineAt: Date.now() + 20_000 })),
    );
    expect(outcomes.filter(({ kind }) => kind !== 'answered')).toEqual([]);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 3000 }, (_, n) => n));
    expect(Math.min(...by)).toBeGreaterThan(0);
  });

  it('of two askers each gets its own replies', async () => {
    await server(echo);
    const askers = [await client(), await client()];
    const outcomes = await Promise.all(
      askers.flatMap((asker, which) =>
        Array.from({ length: 200 }, (_, n) => asker.request('work', [which, n])),
      ),
    );
    const data = outcomes.map((outcome) => outcome.kind === 'answered' && outcome.data);
    expect(data).toEqual([0, 1].flatMap((which) => Array.from({ length: 200 }, (_, n) => [which, n])));
  });

  it('never handles more at once than there are slots, and takes no more than that', async () => {
    const gate = new Gate();
    const worker = await server(gate.handler, { lanes: { main: 3 } });
    const asker = await client();
    const requests = Array.from({ length: 10 }, (_, n) => asker.request('work', n, { low: n % 2 === 0 }));
    await eventually(() => gate.seen.length === 3);
    expect(worker.stats().busy).toBe(3);
    await waiting(7);
    while (worker.stats().taken < 10 || worker.stats().busy > 0) {
      expect(worker.stats().busy).toBeLessThanOrEqual(3);
      gate.openAll();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await Promise.all(requests)).every(({ kind }) => kind === 'answered')).toBe(true);
    await waiting(0);

    async function waiting(n: number): Promise<void> {
      const keys = [`${prefix}:{bus}:work:main`, `${prefix}:{bus}:work:main:low`];
      await eventually(async () => {
        const lengths = await Promise.all(keys.map((key) => redis.cli('XLEN', key)));
        return Number(lengths[0]) + Number(lengths[1]) === n;
      });
    }
  });

  it('with one slot takes normal requests before low ones', async () => {
    const gate = new Gate();
    await server(gate.handler, { lanes: { main: 1 } });
    const asker = await client();
    const all = [asker.request('work', 'first')];
    await eventually(() => gate.seen.length === 1);
    for (const name of ['low-1', 'low-2']) all.push(asker.request('work', name, { low: true }));
    for (const name of ['normal-1', 'normal-2']) all.push(asker.request('work', name));
    await eventually(async () => (await redis.cli('XLEN', `${prefix}:{bus}:work:main`)) === '2');
    for (let n = 1; n <= 5; n += 1) {
      await eventually(() => gate.seen.length === n && gate.waiting.length === 1);
      gate.openAll();
    }
    await Promise.all(all);
    expect(gate.seen).toEqual(['first', 'normal-1', 'normal-2', 'low-1', 'low-2']);
  });

  it('a lane whose handlers hang stalls no other lane', async () => {
    const hang = new Gate();
    await server(async (data: string) => (data === 'hang' ? hang.handler(data) : data), {
      lanes: { dead: 2, live: 2 },
    });
    const asker = await client();
    const hung = Array.from({ length: 6 }, () => asker.request('work', 'hang', { lane: 'dead' }));
    await eventually(() => hang.seen.length === 2);
    for (let n = 0; n < 50; n += 1) {
      await expect(asker.request('work', n, { lane: 'live' })).resolves.toEqual({
        kind: 'answered',
        data: n,
      });
    }
    expect(hang.seen.length).toBe(2);
    while (hang.seen.length < 6 || hang.waiting.length > 0) {
      hang.openAll();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await Promise.all(hung)).every(({ kind }) => kind === 'answered')).toBe(true);
  });

  it('a slot that frees while the server blocks on other lanes is used at once', async () => {
    const gate = new Gate();
    await server(gate.handler, { lanes: { one: 1, other: 1 } });
    const asker = await client();
    const requests = [1, 2, 3].map((n) => asker.request('work', n, { lane: 'one' }));
    for (const n of [1, 2, 3]) {
      // The read blocks for two seconds: three times in a row by chance of its end would take longer than this.
      await eventually(() => gate.seen.length === n, { withinMs: 1500 });
      gate.openAll();
    }
    await Promise.all(requests);
  });

  it('a paused lane is left alone until it is resumed; a lane can be added and its slots changed', async () => {
    const gate = new Gate();
    const worker = await server(gate.handler, { lanes: { main: 1 } });
    const asker = await client();
    worker.pause('main');
    expect(worker.freeSlots()).toEqual({});
    const requests = [1, 2, 3].map((n) => asker.request('work', n));
    worker.setSlots('added', 1);
    const added = asker.request('work', 'added', { lane: 'added' });
    const outcome = await Promise.race([added, eventually(() => gate.seen.includes('added'))]);
    if (typeof outcome === 'object') {
      // Sent before the lane's stream was made: known at once, and asked again.
      expect(outcome).toEqual({ kind: 'not-taken', nobody: true });
      void asker.request('work', 'added', { lane: 'added' });
      await eventually(() => gate.seen.includes('added'));
    }
    const before = gate.seen.filter((data) => data !== 'added').length;
    // The read that was under way when it was paused may still bring one.
    expect(before).toBeLessThanOrEqual(1);
    worker.resume('main');
    worker.setSlots('main', 3);
    await eventually(() => gate.seen.length === 4);
    gate.openAll();
    expect((await Promise.all(requests)).map(({ kind }) => kind)).toEqual([
      'answered',
      'answered',
      'answered',
    ]);
  });

  it('one that waited too long is dropped unread', async () => {
    const gate = new Gate();
    const worker = await server(gate.handler, { lanes: { main: 1 } });
    const asker = await client();
    const first = asker.request('work', 'first');
    await eventually(() => gate.seen.length === 1);
    // As of an asker that died: nobody withdraws it.
    const by = Date.now() - 1;
    const message = JSON.stringify({ v: 1, id: 1, from: 'dead', by, until: by, data: 'late' });
    await redis.cli('XADD', `${prefix}:{bus}:work:main`, '*', 'm', message);
    gate.openAll();
    await eventually(() => worker.stats().expired === 1);
    await first;
    expect(gate.seen).toEqual(['first']);
  });

  it('ends not-taken in time where the servers are busy, and is handled by nobody afterwards', async () => {
    const gate = new Gate();
    await server(gate.handler, { lanes: { main: 1 } });
    const asker = await client();
    const first = asker.request('work', 'first');
    await eventually(() => gate.seen.length === 1);
    await expect(asker.request('work', 'second', { takeWithinMs: 50 })).resolves.toEqual({
      kind: 'not-taken',
      nobody: false,
    });
    await eventually(async () => (await redis.cli('XLEN', `${prefix}:{bus}:work:main`)) === '0');
    gate.openAll();
    await first;
    const third = asker.request('work', 'third');
    await eventually(() => gate.seen.length === 2);
    gate.openAll();
    await third;
    expect(gate.seen).toEqual(['first', 'third']);
  });

  it('a cancelled one is settled never, and removed', async () => {
    const gate = new Gate();
    await server(gate.handler, { lanes: { main: 1 } });
    const asker = await client();
    const first = asker.request('work', 'first');
    await eventually(() => gate.seen.length === 1);
    const outcomes: Outcome[] = [];
    const ask = (data: string) => asker.ask('work', data, {}, (outcome) => outcomes.push(outcome));
    ask('before it is sent').cancel();
    const second = ask('second');
    await eventually(async () => (await redis.cli('XLEN', `${prefix}:{bus}:work:main`)) === '1');
    second.cancel();
    await eventually(async () => (await redis.cli('XLEN', `${prefix}:{bus}:work:main`)) === '0');
    gate.openAll();
    await first;
    expect(outcomes).toEqual([]);
    expect(gate.seen).toEqual(['first']);
    expect(asker.stats()).toMatchObject({ cancelled: 2, pending: 0 });
  });

  it('is told "taken" before the reply, and ends silent where none comes', async () => {
    const gate = new Gate();
    await server(gate.handler);
    const asker = await client();
    const outcomes: Outcome[] = [];
    const request = asker.ask('work', 1, { takeWithinMs: 5000, replyWithinMs: 100 }, (outcome) =>
      outcomes.push(outcome),
    );
    await eventually(() => request.taken);
    expect(outcomes).toEqual([]);
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toEqual([{ kind: 'silent' }]);
    gate.openAll();
    await eventually(() => asker.stats().late === 1);
    expect(outcomes.length).toBe(1);
  });

  it('that takes long is waited for as long as its server says that it is at it', async () => {
    const gate = new Gate();
    await server(gate.handler);
    const asker = await client();
    const outcomes: Outcome[] = [];
    const options = { takeWithinMs: 5_000, heardWithinMs: 400 };
    const asked = performance.now();
    asker.ask('work', 1, options, (outcome) => outcomes.push(outcome));
    await eventually(() => performance.now() > asked + 1_500);
    expect(outcomes).toEqual([]);
    gate.openAll();
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toEqual([{ kind: 'answered', data: 1 }]);
  });

  it('ends silent where its server is not heard of any more, long before its reply would be late', async () => {
    const gate = new Gate();
    let port = redis.port;
    const toRedis = (): Redis => new Redis({ ...BUS_REDIS_OPTIONS, port });
    const dying = await server(gate.handler, { connect: toRedis, drainTimeoutMs: 100 });
    const asker = await client();
    const outcomes: Outcome[] = [];
    const options = { takeWithinMs: 5_000, heardWithinMs: 400, replyWithinMs: 60_000 };
    const request = asker.ask('work', 1, { ...options, deadlineAt: Date.now() + 60_000 }, (outcome) =>
      outcomes.push(outcome),
    );
    await eventually(() => request.taken);
    // As by a kill: its connections are gone, and what it would tell.
    port = 1;
    for (const connection of dying.unwrap<Redis[]>()) connection.disconnect();
    await eventually(() => outcomes.length === 1, { withinMs: 10_000 });
    expect(outcomes).toEqual([{ kind: 'silent' }]);
  });

  it('of those that nobody wants to hear of nothing is told', async () => {
    const gate = new Gate();
    await server(gate.handler);
    const asker = await client({ id: 'quiet' });
    const loud = await client({ id: 'loud' });
    let answered = 0;
    for (const one of [asker, loud]) {
      one.ask('work', 1, one === loud ? { heardWithinMs: 200 } : {}, () => (answered += 1));
    }
    const told = async (id: string): Promise<number> =>
      Number(await redis.cli('XLEN', `${prefix}:{bus}:replies:${id}`));
    await eventually(async () => (await told('loud')) >= 5);
    expect(await told('quiet')).toBe(1);
    gate.openAll();
    await eventually(() => answered === 2);
  });

  describe('"taken"', () => {
    /** Takes some turns of the loop: "taken" could have been told meanwhile. */
    const soon = async (data: unknown): Promise<unknown> => {
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      return data;
    };
    const entriesFor = async (asker: string): Promise<string[]> => {
      const entries = await redis.cli('XRANGE', `${prefix}:{bus}:replies:${asker}`, '-', '+');
      return entries.split('\n').filter((line) => line.startsWith('{'));
    };

    it('is no entry of its own where the reply comes at once', async () => {
      await server(soon);
      const asker = await client({ id: 'asker' });
      // A turn of a busy machine may be long: of some requests one is enough.
      await eventually(async () => {
        const before = (await entriesFor('asker')).length;
        await asker.request('work', 1);
        return (await entriesFor('asker')).length === before + 1;
      });
      expect((await entriesFor('asker')).at(-1)).toContain('"taken":[],');
    });

    it('goes with the reply to another request', async () => {
      const gate = new Gate();
      await server(async (data: string) => (data === 'slow' ? gate.handler(data) : soon(data)));
      const asker = await client({ id: 'asker' });
      await eventually(async () => {
        const slow = asker.ask('work', 'slow', {}, () => undefined);
        await asker.request('work', 'quick');
        gate.openAll();
        await eventually(() => slow.taken);
        return (await entriesFor('asker')).some((entry) => /"taken":\[\d+\],"replies":\[\[/.test(entry));
      });
    });

    it('is told at once to an asker that has waited for it', async () => {
      // By this clock each request has been in its stream for a while.
      await server(soon, { now: () => Date.now() + 5000 });
      const asker = await client({ id: 'asker', timeoutMs: 20_000 });
      await asker.request('work', 1);
      const entries = await entriesFor('asker');
      expect(entries.length).toBe(2);
      expect(entries[0]).toMatch(/"taken":\[\d+\],"replies":\[\]/);
    });
  });

  it('many replies of one moment are one entry', async () => {
    const gate = new Gate();
    await server(gate.handler);
    const asker = await client({ id: 'asker' });
    const outcomes: Outcome[] = [];
    const requests = Array.from({ length: 20 }, (_, n) =>
      asker.ask('work', n, {}, (outcome) => outcomes.push(outcome)),
    );
    await eventually(() => requests.every(({ taken }) => taken));
    await redis.cli('XTRIM', `${prefix}:{bus}:replies:asker`, 'MAXLEN', '0');
    gate.openAll();
    await eventually(() => outcomes.length === 20);
    expect(await redis.cli('XLEN', `${prefix}:{bus}:replies:asker`)).toBe('1');
  });

  it('a reply leaves before what its handler left to do later', async () => {
    let length = 0;
    await server(async (data: unknown) => {
      setImmediate(() => (length = lengthOnceFilled(`${prefix}:{bus}:replies:asker`)));
      return data;
    });
    const asker = await client({ id: 'asker' });
    await asker.request('work', 1);
    expect(length).toBe(1);

    /** Keeps this process from doing anything else until the stream has an entry, or for some seconds. */
    function lengthOnceFilled(stream: string): number {
      const cli = `$(command -v redis-cli || command -v valkey-cli) -p ${redis.port} XLEN '${stream}'`;
      const until = performance.now() + 3000;
      for (;;) {
        const found = Number(execFileSync('sh', ['-c', cli]).toString());
        if (found > 0 || performance.now() > until) return found;
      }
    }
  });

  it('waits on for servers that have been full for less than a heartbeat', async () => {
    const parts = { connect, prefix, host: 'h', version: '1', beatMs: 10_000, validMs: 30_000 };
    const workerSide = new Membership({ ...parts, role: 'worker' });
    const askerSide = new Membership({ ...parts, role: 'gateway' });
    closers.push(
      () => workerSide.leave(),
      () => askerSide.leave(),
    );
    const gate = new Gate();
    await server(gate.handler, { lanes: { main: 1 }, membership: workerSide });
    await workerSide.start();
    await askerSide.start();
    const asker = await client({ membership: askerSide });
    expect(askerSide.isFull('work', 'main')).toBe(false);
    const first = asker.request('work', 'first', { waitWhileFull: true });
    await eventually(() => gate.seen.includes('first'));
    const waits = asker.request('work', 'second', { takeWithinMs: 500, waitWhileFull: true });
    await eventually(() => askerSide.isFull('work', 'main'));
    let ended = false;
    void waits.then(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(ended).toBe(false);
    gate.openAll();
    await eventually(() => gate.seen.includes('second'));
    gate.openAll();
    expect((await Promise.all([first, waits])).map(({ kind }) => kind)).toEqual(['answered', 'answered']);
  });

  it('waits on while heartbeats say that all servers are full, and ends full', async () => {
    const parts = { connect, prefix, host: 'h', version: '1', beatMs: 100, validMs: 1000 };
    const workerSide = new Membership({ ...parts, role: 'worker' });
    const askerSide = new Membership({ ...parts, role: 'gateway' });
    closers.push(
      () => workerSide.leave(),
      () => askerSide.leave(),
    );
    const gate = new Gate();
    await server(gate.handler, { lanes: { main: 1 }, membership: workerSide });
    await Promise.all([workerSide.start(), askerSide.start()]);
    const asker = await client({ membership: askerSide });
    await eventually(() => askerSide.hasWorker('work', 'main') && !askerSide.isFull('work', 'main'));
    const options = { takeWithinMs: 20, waitWhileFull: true };
    const first = asker.request('work', 'first', options);
    await eventually(() => askerSide.isFull('work', 'main'));
    const waits = asker.request('work', 'second', options);
    await expect(
      asker.request('work', 'ends', { ...options, deadlineAt: Date.now() + 300 }),
    ).resolves.toEqual({ kind: 'full' });
    gate.openAll();
    await eventually(() => gate.seen.includes('second'));
    gate.openAll();
    expect((await Promise.all([first, waits])).map(({ kind }) => kind)).toEqual(['answered', 'answered']);
    expect(gate.seen).toEqual(['first', 'second']);
  });

  it('a message of a newer version is answered with a clear error', async () => {
    await server(echo);
    await redis.cli('XGROUP', 'CREATE', `${prefix}:{bus}:replies:newer`, 'g', '$', 'MKSTREAM');
    const by = Date.now() + 10_000;
    const message = JSON.stringify({ v: 2, id: 7, from: 'newer', by, until: by, data: 1, more: true });
    await redis.cli('XADD', `${prefix}:{bus}:work:main`, '*', 'm', message);
    await eventually(async () => {
      const replies = await redis.cli('XRANGE', `${prefix}:{bus}:replies:newer`, '-', '+');
      return replies.includes('message of version 2; this server speaks 1');
    });
  });

  it('unknown fields of a message are ignored, and rubbish harms nothing', async () => {
    const seen: unknown[] = [];
    const worker = await server(async (data) => seen.push(data));
    await redis.cli('XGROUP', 'CREATE', `${prefix}:{bus}:replies:x`, 'g', '$', 'MKSTREAM');
    const by = Date.now() + 10_000;
    const message = JSON.stringify({ v: 1, id: 7, from: 'x', by, until: by, data: 'ok', colour: 'red' });
    const stream = `${prefix}:{bus}:work:main`;
    for (const field of ['m {', 'm null', 'm 7', 'q x', 'm {"v":1,"from":"x"}'])
      await redis.cli('XADD', stream, '*', ...field.split(' '));
    await redis.cli('XADD', stream, '*', 'm', message);
    await eventually(() => seen.length === 1);
    expect(seen).toEqual(['ok']);
    expect(worker.stats().malformed).toBe(5);
  });

  it('drain() takes nothing more, and loses nothing that was taken', async () => {
    const gate = new Gate();
    const leaving = await server(gate.handler, { lanes: { main: 5 } });
    const asker = await client();
    const taken = Array.from({ length: 5 }, (_, n) => asker.request('work', n));
    await eventually(() => gate.seen.length === 5);
    const later = Array.from({ length: 5 }, (_, n) => asker.request('work', n + 5));
    const drained = leaving.drain();
    expect(leaving.freeSlots()).toEqual({});
    const stays = await server(echo);
    gate.openAll();
    await drained;
    const outcomes = await Promise.all([...taken, ...later]);
    expect(outcomes.map((outcome) => outcome.kind === 'answered' && outcome.data)).toEqual(
      Array.from({ length: 10 }, (_, n) => n),
    );
    expect(leaving.stats().taken + stays.stats().taken).toBe(10);
    expect(leaving.stats().taken).toBe(5);
  });

  it('counts what waits, by lane', async () => {
    const gate = new Gate();
    const worker = await server(gate.handler, { lanes: { main: 1 } });
    const asker = await client({ timeoutMs: 20_000 });
    const requests = Array.from({ length: 4 }, (_, n) => asker.request('work', n, { low: n === 3 }));
    await eventually(() => expect(worker.stats().lag).toEqual({ 'work:main': 2, 'work:main:low': 1 }), {
      withinMs: 15_000,
    });
    while (worker.stats().taken < 4 || worker.stats().busy > 0) {
      gate.openAll();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(requests);
  });

  it('what one asker has under way is bounded', async () => {
    await server(new Gate().handler, { drainTimeoutMs: 1 });
    const asker = await client({ maxPending: 3 });
    const kinds: string[] = [];
    for (let n = 0; n < 5; n += 1) asker.ask('work', n, {}, ({ kind }) => kinds.push(kind));
    await eventually(() => kinds.length === 2);
    expect(kinds).toEqual(['full', 'full']);
    expect(asker.stats().pending).toBe(3);
  });

  it('close() ends what is under way, and removes the stream of replies', async () => {
    await server(new Gate().handler, { drainTimeoutMs: 1 });
    const asker = await client({ id: 'leaving' });
    const under = asker.request('work', 1);
    await eventually(async () => (await redis.cli('EXISTS', `${prefix}:{bus}:replies:leaving`)) === '1');
    expect(Number(await redis.cli('TTL', `${prefix}:{bus}:replies:leaving`))).toBeGreaterThan(0);
    await asker.close();
    await expect(under).resolves.toEqual({ kind: 'away' });
    expect(await redis.cli('EXISTS', `${prefix}:{bus}:replies:leaving`)).toBe('0');
    expect(() => asker.ask('work', 1, {}, () => undefined)).toThrow('closed');
  });

  it('a process that comes back under its name is not given what its former life asked for', async () => {
    const gate = new Gate();
    await server(gate.handler);
    const former = await client({ id: 'reborn' });
    former.ask('work', 'former', {}, () => undefined);
    await eventually(() => gate.seen.length === 1);
    // As after a kill: the stream stays, and the reply comes into it.
    const later = await client({ id: 'reborn' });
    const outcome = later.request('work', 'later');
    await eventually(() => gate.seen.length === 2);
    gate.openAll();
    await expect(outcome).resolves.toEqual({ kind: 'answered', data: 'later' });
    await eventually(() => later.stats().late === 1);
  });

  it('refuses connections with queues, and options that cannot work', () => {
    const withQueue = new StreamClient({ connect: () => new Redis(redis.url) });
    expect(() => withQueue.ask('work', 1, {}, () => undefined)).toThrow('BUS_REDIS_OPTIONS');
    expect(() => new StreamServer({ connect, lanes: { main: 0 } })).toThrow('main must be a whole number');
    expect(() => new StreamClient({ connect, id: 'a b' })).toThrow('id must be');
  });
});
