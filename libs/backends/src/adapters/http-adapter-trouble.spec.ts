import { rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check } from '#usher/domain';
import { CERTIFICATE, KEY } from '../../test/certificate.js';
import { aBackend, aCheck, clock } from '../../test/checks.js';
import { answer, ok, RawPortal, type RawRequest } from '../../test/raw-portal.js';
import type { Adapter } from './adapter.js';
import { createAdapter } from './create-adapter.js';

/** Generous: a busy machine still answers within it. */
const TIMEOUT = 5_000;
/** For calls that are to end by it. */
const SHORT = 150;

let portal: RawPortal;
let adapter: Adapter;

beforeEach(async () => {
  portal = await RawPortal.start();
  adapter = adapterFor('/check');
});
afterEach(async () => {
  await adapter.close();
  await portal.close();
});

function adapterFor(path: string, settings: Record<string, unknown> = {}): Adapter {
  return createAdapter('portal', aBackend({ type: 'http', url: portal.url + path, ...settings }), { clock });
}

async function using(other: Adapter): Promise<void> {
  await adapter.close();
  adapter = other;
}

const ask = (check: Check = aCheck(), timeoutMs = TIMEOUT) => adapter.ask(check, { timeoutMs });

describe('a backend in trouble', () => {
  const endless = (first: string, more: string) => (request: RawRequest) => {
    const { socket } = request;
    socket.write(first);
    const pump = (): void => {
      while (!socket.destroyed && socket.write(more));
    };
    socket.on('drain', pump);
    pump();
    return undefined;
  };

  it.each<[string, () => void]>([
    ['before any byte', () => (portal.answering = () => undefined)],
    ['within the status line', () => (portal.answering = () => 'HTTP/1.1 20')],
    ['within the headers', () => (portal.answering = () => 'HTTP/1.1 200 OK\r\nX-UserId: 7\r\n')],
    ['after 103', () => (portal.answering = () => 'HTTP/1.1 103 Early Hints\r\n\r\n')],
  ])('that hangs %s is out of time', async (_name, arrange) => {
    arrange();
    const told = await ask(aCheck(), SHORT);
    expect(told).toMatchObject({ kind: 'unavailable', because: 'backend', reason: 'backend-timeout' });
    expect(told.tookMs).toBeGreaterThanOrEqual(SHORT - 2);
  });

  it('that hangs within a body that is needed is out of time', async () => {
    await using(adapterFor('/check', { allowWhen: { body: 'ok' } }));
    portal.answering = () => 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok';
    expect(await ask(aCheck(), SHORT)).toMatchObject({ kind: 'unavailable', reason: 'backend-timeout' });
  });

  it('that hangs within a body that nobody needs has answered, and its connection is closed in the end', async () => {
    portal.answering = () => 'HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\n';
    let closed: Promise<unknown> = Promise.resolve();
    portal.connected = (socket) => {
      closed = new Promise((resolve) => socket.on('close', resolve));
    };
    expect(await ask(aCheck(), SHORT)).toMatchObject({ kind: 'deny', status: 403 });
    await closed;
  });

  it('that never finishes its TLS handshake is out of time', async () => {
    const url = portal.url.replace('http:', 'https:');
    await using(createAdapter('portal', aBackend({ type: 'http', url }), { clock }));
    expect(await ask(aCheck(), SHORT)).toMatchObject({
      kind: 'unavailable',
      reason: 'backend-timeout',
      detail: `no connection within ${SHORT} ms`,
    });
  });

  it('whose answer came in time is not blamed for our busy loop', async () => {
    const asked = new Promise<RawRequest>((resolve) => {
      portal.answering = (request) => {
        resolve(request);
        return undefined;
      };
    });
    const told = ask(aCheck(), SHORT);
    const { socket } = await asked;
    socket.write(ok());
    const until = clock.monotonic() + 2 * SHORT;
    while (clock.monotonic() < until);
    expect(await told).toMatchObject({ kind: 'allow' });
  });

  it('that nobody listens for is unreachable', async () => {
    await portal.close();
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-unreachable',
    });
    portal = await RawPortal.start();
  });

  it.each<[string, (request: RawRequest) => undefined]>([
    ['closes', ({ socket }) => void socket.end()],
    ['resets', ({ socket }) => void socket.resetAndDestroy()],
  ])('that %s without an answer is unreachable, and not asked again', async (_name, answering) => {
    portal.answering = answering;
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-unreachable',
    });
    expect(portal.requests).toHaveLength(1);
  });

  it('that breaks off within a body that is needed is malformed', async () => {
    await using(adapterFor('/check', { allowWhen: { body: 'ok' } }));
    portal.answering = ({ socket }) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok');
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-malformed',
    });
  });

  it('that sends endless headers is oversized', async () => {
    portal.answering = endless('HTTP/1.1 200 OK\r\n', `X-More: ${'x'.repeat(1000)}\r\n`);
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-oversized',
    });
  });

  it('that sends one endless header is oversized', async () => {
    portal.answering = endless('HTTP/1.1 200 OK\r\nX-More: ', 'x'.repeat(1000));
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-oversized',
    });
  });

  it('that sends an endless body that is needed is oversized', async () => {
    await using(adapterFor('/check', { allowWhen: { body: 'ok' } }));
    portal.answering = endless('HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(10_000));
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-oversized',
    });
  });

  it('that sends an endless body that nobody needs has answered; the body is cut', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    portal.connected = (socket) => {
      closed = new Promise((resolve) => socket.on('close', resolve));
    };
    portal.answering = endless('HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(10_000));
    expect(await ask()).toMatchObject({ kind: 'allow' });
    await closed;
  });
});

describe('connections', () => {
  it('are kept, bodies read to their end or not needed at all', async () => {
    portal.answering = () => ok([], 'x'.repeat(60_000));
    for (let i = 0; i < 10; i += 1) await ask();
    expect(portal.requests).toHaveLength(10);
    // The second question may come before the first one's body has ended.
    expect(portal.connections).toBeLessThanOrEqual(2);
  });

  it('keep no call back, as those of mode observe may not be: how many there are at once is the gate’s to say', async () => {
    await using(adapterFor('/check', { maxCalls: 3 }));
    const asking: Socket[] = [];
    // Nobody is answered until all have come.
    portal.answering = ({ socket }) => {
      asking.push(socket);
      if (asking.length === 20) for (const one of asking) one.write(ok());
      return undefined;
    };
    const told = await Promise.all(Array.from({ length: 20 }, () => ask()));
    expect(told.map(({ kind }) => kind)).toEqual(Array(20).fill('allow'));
  });

  it('closed by the backend just as we ask cost a viewer nothing: asked once more on a new one', async () => {
    portal.answering = ({ socket, onConnection }) =>
      onConnection === 1 ? ok() : void socket.resetAndDestroy();
    expect(await ask()).toMatchObject({ kind: 'allow' });
    const told = [];
    for (let i = 0; i < 4; i += 1) told.push((await ask()).kind);
    expect(told).toEqual(['allow', 'allow', 'allow', 'allow']);
    expect(portal.requests.some(({ onConnection }) => onConnection > 1)).toBe(true);
    expect(portal.requests.filter(({ onConnection }) => onConnection > 2)).toEqual([]);
  });

  it('ask once more once at most', async () => {
    let dead = false;
    portal.answering = ({ socket }) => (dead ? void socket.resetAndDestroy() : ok());
    await ask();
    await ask();
    const before = portal.requests.length;
    dead = true;
    expect(await ask()).toMatchObject({ kind: 'unavailable', reason: 'backend-unreachable' });
    expect(portal.requests.length - before).toBeLessThanOrEqual(2);
  });

  it('do not serve another question after a call that was given up', async () => {
    const late: RawRequest[] = [];
    portal.answering = (request) => void late.push(request);
    await ask(aCheck(), SHORT);
    portal.answering = () => answer('403 No');
    const next = ask();
    for (const request of late) request.socket.write(ok());
    expect(await next).toMatchObject({ kind: 'deny' });
  });
});

describe('a cancelled call', () => {
  it('rejects as AbortError and closes its connection', async () => {
    const cancel = new AbortController();
    const asked = new Promise<Socket>((resolve) => {
      portal.answering = ({ socket }) => {
        resolve(socket);
        return undefined;
      };
    });
    const told = adapter.ask(aCheck(), { timeoutMs: TIMEOUT, signal: cancel.signal });
    const socket = await asked;
    const closed = new Promise((resolve) => socket.on('close', resolve));
    cancel.abort();
    await expect(told).rejects.toMatchObject({ name: 'AbortError' });
    await closed;
  });

  it('that is cancelled before it begins asks nobody', async () => {
    const told = adapter.ask(aCheck(), { timeoutMs: TIMEOUT, signal: AbortSignal.abort() });
    await expect(told).rejects.toMatchObject({ name: 'AbortError' });
    await ask();
    expect(portal.requests).toHaveLength(1);
  });

  it('cancelled after its answer changes nothing', async () => {
    const cancel = new AbortController();
    const told = await adapter.ask(aCheck(), { timeoutMs: TIMEOUT, signal: cancel.signal });
    cancel.abort();
    expect(told).toMatchObject({ kind: 'allow' });
    expect(await ask()).toMatchObject({ kind: 'allow' });
  });
});

it('a closed adapter says that it is us', async () => {
  portal.answering = () => undefined;
  const told = ask();
  await adapter.close();
  expect(await told).toMatchObject({ kind: 'unavailable', because: 'us' });
  expect(await ask()).toMatchObject({ kind: 'unavailable', because: 'us' });
});

describe('TLS', () => {
  let secure: RawPortal;
  const file = join(tmpdir(), `usher-ca-${process.pid}.pem`);
  beforeAll(() => writeFileSync(file, CERTIFICATE));
  afterAll(() => rmSync(file));
  beforeEach(async () => {
    secure = await RawPortal.start({ key: KEY, cert: CERTIFICATE });
  });
  afterEach(() => secure.close());

  const over = (settings: Record<string, unknown>, url = secure.url) =>
    using(createAdapter('portal', aBackend({ type: 'http', url, ...settings }), { clock }));

  it('refuses a certificate that nobody vouches for', async () => {
    await over({});
    expect(await ask()).toMatchObject({
      kind: 'unavailable',
      because: 'backend',
      reason: 'backend-tls',
      detail: 'tls in phase connect: DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect(secure.requests).toEqual([]);
  });

  it('accepts one that the CA file vouches for', async () => {
    await over({ ca: file });
    expect(await ask()).toMatchObject({ kind: 'allow' });
  });

  it('refuses one for another name', async () => {
    await over({ ca: file }, secure.url.replace('127.0.0.1', 'localhost'));
    expect(await ask()).toMatchObject({ kind: 'unavailable', reason: 'backend-tls' });
  });

  it('accepts any where it is told to', async () => {
    await over({ insecure: true });
    expect(await ask()).toMatchObject({ kind: 'allow' });
  });

  it('names a handshake that breaks off, and a server that speaks no TLS', async () => {
    await over({}, portal.url.replace('http:', 'https:'));
    portal.connected = (socket) => socket.end();
    expect(await ask()).toMatchObject({ kind: 'unavailable', because: 'backend', reason: 'backend-tls' });
    portal.connected = (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(await ask()).toMatchObject({ kind: 'unavailable', because: 'backend', reason: 'backend-tls' });
  });
});
