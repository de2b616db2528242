/**
 * Round trips/s of libs/bus beside a bare loop of ioredis with the same way there and back: XADD in one pipeline per
 * tick, XREADGROUP NOACK, replies in one XADD per tick to the asker's own stream, XREAD, a map of what is pending.
 * Asker and server are a process each; 450-byte messages, 256 in flight; the two take turns, and the medians count.
 *
 *   node bench/src/bus-round-trips.mjs [rounds] [seconds per round]
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';

const BYTES = 450;
const IN_FLIGHT = 256;
const SLOTS = 512;
const dist = new URL('../../dist/libs/bus/src/index.js', import.meta.url);
const { Redis } = await import('ioredis');

const message = () => ({ id: 1, text: 'x'.repeat(BYTES - 20) });

/** Runs `ask(done)` with 256 in flight for so long; gives round trips per second. */
async function drive(ask, seconds) {
  let done = 0;
  let running = true;
  const next = () => {
    done += 1;
    if (running) ask(next);
  };
  for (let i = 0; i < IN_FLIGHT; i += 1) ask(next);
  await new Promise((resolve) => setTimeout(resolve, seconds * 250)); // warm
  const before = done;
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const rate = ((done - before) / (performance.now() - start)) * 1000;
  running = false;
  await new Promise((resolve) => setTimeout(resolve, 200));
  return rate;
}

const bare = {
  async serve(connect) {
    const blocking = connect();
    const commands = connect();
    await Promise.all([blocking, commands].map((each) => once(each, 'ready')));
    await blocking.xgroup('CREATE', 'bare:{b}:requests', 'g', '$', 'MKSTREAM').catch(() => undefined);
    let replies = [];
    const flush = () => {
      const batch = replies;
      replies = [];
      commands
        .xadd('bare:{b}:replies', 'MAXLEN', '~', 1000, '*', 'r', JSON.stringify(batch))
        .catch(() => undefined);
    };
    const loop = async () => {
      for (;;) {
        const found = await blocking.xreadgroup(
          'GROUP',
          'g',
          'c',
          'COUNT',
          128,
          'BLOCK',
          1000,
          'NOACK',
          'STREAMS',
          'bare:{b}:requests',
          '>',
        );
        for (const [, fields] of found?.[0]?.[1] ?? []) {
          const { id, data } = JSON.parse(fields[1]);
          if (replies.length === 0) setImmediate(flush);
          replies.push({ id, data: data.id });
        }
      }
    };
    void loop();
  },
  async ask(connect, seconds) {
    const blocking = connect();
    const commands = connect();
    await Promise.all([blocking, commands].map((each) => once(each, 'ready')));
    const pending = new Map();
    let outgoing = [];
    let nextId = 1;
    const flush = () => {
      const pipeline = commands.pipeline();
      for (const text of outgoing) pipeline.xadd('bare:{b}:requests', 'MAXLEN', '~', 10_000, '*', 'm', text);
      outgoing = [];
      pipeline.exec().catch(() => undefined);
    };
    let position = '$';
    const loop = async () => {
      for (;;) {
        const found = await blocking.xread(
          'COUNT',
          100,
          'BLOCK',
          1000,
          'STREAMS',
          'bare:{b}:replies',
          position,
        );
        for (const [id, fields] of found?.[0]?.[1] ?? []) {
          position = id;
          for (const reply of JSON.parse(fields[1])) {
            const done = pending.get(reply.id);
            pending.delete(reply.id);
            done?.(reply.data);
          }
        }
      }
    };
    void loop();
    await new Promise((resolve) => setTimeout(resolve, 100));
    return drive((done) => {
      const id = nextId++;
      pending.set(id, done);
      if (outgoing.length === 0) setImmediate(flush);
      outgoing.push(JSON.stringify({ id, data: message() }));
    }, seconds);
  },
};

const bus = {
  async serve(connect) {
    const { StreamServer } = await import(dist.href);
    const server = new StreamServer({ connect, lanes: { main: SLOTS } });
    server.addHandler('echo', async (data) => data.id);
    await new Promise((resolve) => void server.listen(resolve));
  },
  async ask(connect, seconds) {
    const { StreamClient } = await import(dist.href);
    const client = new StreamClient({ connect });
    await client.connect();
    const options = { deadlineAt: 0, takeWithinMs: 1000 };
    const rate = await drive((done) => {
      client.ask('echo', message(), { ...options, deadlineAt: Date.now() + 2000 }, (outcome) => {
        if (outcome.kind !== 'answered') throw new Error(outcome.kind);
        done();
      });
    }, seconds);
    await client.close();
    return rate;
  },
};

/** `send()`, as a Nest application calls it, through Nest's own classes on both sides. */
const nest = {
  async serve(connect) {
    await import('reflect-metadata');
    const { StreamServer } = await import(dist.href);
    const { NestFactory } = await import('@nestjs/core');
    const { MessagePattern, Payload } = await import('@nestjs/microservices');
    class Echo {
      echo(data) {
        return data.id;
      }
    }
    const descriptor = Object.getOwnPropertyDescriptor(Echo.prototype, 'echo');
    MessagePattern('echo')(Echo.prototype, 'echo', descriptor);
    Payload()(Echo.prototype, 'echo', 0);
    const { Controller, Module } = await import('@nestjs/common');
    Controller()(Echo);
    class EchoModule {}
    Module({ controllers: [Echo] })(EchoModule);
    const strategy = new StreamServer({ connect, lanes: { main: SLOTS } });
    const app = await NestFactory.createMicroservice(EchoModule, { strategy, logger: false });
    await app.listen();
  },
  async ask(connect, seconds) {
    const { StreamClient } = await import(dist.href);
    const client = new StreamClient({ connect });
    await client.connect();
    const rate = await drive((done) => client.send('echo', message()).subscribe(done), seconds);
    await client.close();
    return rate;
  },
};

const kinds = { bare, bus, nest };
const connectTo = (port) => () =>
  new Redis({
    port,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    lazyConnect: false,
  });

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

function child(...args) {
  const process_ = fork(fileURLToPath(import.meta.url), args.map(String), {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const said = new Promise((resolve, reject) => {
    process_.once('message', resolve);
    process_.once('exit', (code) => reject(new Error(`exit ${code}`)));
  });
  return { process: process_, said };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** One figure: medians, and how libs/bus stands beside the bare loop. */
export async function busRoundTrips({ rounds = 5, seconds = 2 } = {}) {
  const port = await freePort();
  const redis = spawn('redis-server', ['--port', port, '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  });
  const rates = { bare: [], bus: [], nest: [] };
  try {
    await new Promise((resolve) => setTimeout(resolve, 300));
    for (let round = 0; round < rounds; round += 1) {
      for (const kind of Object.keys(kinds)) {
        const server = child('serve', kind, port);
        await server.said;
        const asker = child('ask', kind, port, seconds);
        rates[kind].push(await asker.said);
        asker.process.kill();
        server.process.kill();
      }
    }
  } finally {
    redis.kill();
  }
  const value = Math.round(median(rates.bus));
  const beside = Math.round(median(rates.bare));
  return {
    value,
    unit: 'round trips/s',
    beside,
    ratio: value / beside,
    nest: Math.round(median(rates.nest)),
  };
}

const [, script, role, kind, port, seconds] = process.argv;
if (import.meta.url === pathToFileURL(script).href) {
  if (role === 'serve') {
    const connect = connectTo(Number(port));
    await kinds[kind].serve(() => connect().on('error', () => undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    process.send('ready');
    process.on('disconnect', () => process.exit());
  } else if (role === 'ask') {
    process.send(await kinds[kind].ask(connectTo(Number(port)), Number(seconds)));
    process.on('disconnect', () => process.exit());
  } else {
    console.log(await busRoundTrips({ rounds: Number(role ?? 5), seconds: Number(kind ?? 2) }));
  }
}
