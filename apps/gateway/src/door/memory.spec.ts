import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KeptDecisions, type Kept } from '#usher/decisions';
import { CheckMetrics, Metrics } from '#usher/observe';
import { ManualClock } from '#usher/testing';
import { Memory } from './memory.js';

const HEADERS = {
  'X-Session-ID': '42',
  'X-Channel-ID': 'a001',
  'X-Real-IP': '192.0.2.7',
  'X-Real-Path': '/play/a001',
  'X-Real-UA': 'VLC/3.0',
  'X-Real-Host': 'live.example.com',
  'X-Real-Origin': 'http://live.example.com',
  'X-Forwarded-For': '192.0.2.9',
};
const URL = '/e/astra-1/check?token=123';

let clock: ManualClock;
let metrics: Metrics;
let kept: Kept;
let server: Server;

/** A door that knows one thing: whoever is not remembered is allowed, and remembered. */
beforeEach(async () => {
  clock = new ManualClock();
  const decisions = new KeptDecisions(clock, 100);
  const style = { answerHeaders: true, draining: false };
  metrics = new Metrics();
  const memory = new Memory(clock, decisions, new CheckMetrics(metrics), style, () => 'id', 100);
  server = createServer((incoming, response) => {
    if (memory.answer(incoming, response)) return;
    kept = {
      name: 'astra-1/42',
      fingerprint: 'f',
      decision: { allow: true, source: 'cache', reason: 'backend-allowed' },
      session: undefined,
      standIn: false,
      until: clock.monotonic() + 1000,
      generation: 0,
      version: 0,
      checks: 0,
    };
    memory.keep(incoming, 'astra', kept, { status: 200, headers: { 'X-Session-Name': 'viewer' } });
    response.end();
  });
  server.listen(0);
  await once(server, 'listening');
});

afterEach(() => {
  server.close();
});

interface Ask {
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly from?: string;
}

/** The rung that answered: `cache`, or none where the door had to be asked. */
async function ask({ url = URL, headers = HEADERS, from = '127.0.0.1' }: Ask = {}): Promise<unknown> {
  const { port } = server.address() as AddressInfo;
  const call = request({ port, path: url, headers, host: '127.0.0.1', localAddress: from, agent: false });
  call.end();
  const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream & { headers: object }];
  response.resume();
  return (response.headers as Record<string, unknown>)['x-usher-source'];
}

describe('the memory of the door', () => {
  it('answers a request that it was told of, to the letter', async () => {
    expect(await ask()).toBeUndefined();
    expect(await ask()).toBe('cache');
  });

  it('does not mind the letter case of headers’ names, nor headers that no dialect reads', async () => {
    await ask();
    const lower = Object.fromEntries(
      Object.entries(HEADERS).map(([name, value]) => [name.toLowerCase(), value]),
    );
    expect(await ask({ headers: { ...lower, 'X-Request-ID': 'another' } })).toBe('cache');
  });

  it.each(Object.keys(HEADERS))('asks where %s differs, or is missing', async (name) => {
    await ask();
    expect(await ask({ headers: { ...HEADERS, [name]: 'another' } })).toBeUndefined();
    const { [name as keyof typeof HEADERS]: _, ...without } = HEADERS;
    expect(await ask({ headers: without })).toBeUndefined();
  });

  it('asks where the query differs', async () => {
    await ask();
    expect(await ask({ url: `${URL}4` })).toBeUndefined();
  });

  it('asks where another edge does', async () => {
    await ask();
    expect(await ask({ from: '127.0.0.2' })).toBeUndefined();
  });

  it('remembers viewers without a session id apart', async () => {
    const { 'X-Session-ID': _, ...anonymous } = HEADERS;
    const other = { ...anonymous, 'X-Real-IP': '192.0.2.8' };
    await ask({ headers: anonymous });
    await ask({ headers: other });
    expect(await ask({ headers: anonymous })).toBe('cache');
    expect(await ask({ headers: other })).toBe('cache');
  });

  it('is timed, one answer of many for all of them', async () => {
    for (let i = 0; i < 1 + 2 * 64; i += 1) await ask();
    const page = await metrics.text();
    expect(page).toContain('usher_cache_lookups_total{result="hit"} 128\n');
    expect(page).toContain('usher_check_duration_seconds_count{source="cache"} 128\n');
  });

  it('asks when the time of what was decided is up, or it was dropped', async () => {
    await ask();
    clock.advance(1000);
    expect(await ask()).toBeUndefined();
    expect(await ask()).toBe('cache');
    kept.until = 0;
    expect(await ask()).toBeUndefined();
  });
});

describe('long requests fill no memory: fewer of them are remembered', () => {
  const long = 'x'.repeat(8_000);

  it.each([
    ['their address', (i: number) => ({ url: `/check?token=${long}${i}`, headers: {} })],
    ['a header of the key', (i: number) => ({ url: `/check?token=${i}`, headers: { 'x-session-id': long } })],
    ['another header', (i: number) => ({ url: `/check?token=${i}`, headers: { 'x-real-ua': long } })],
  ])('long in %s', (_, longOne) => {
    const denied: Kept = {
      name: 'astra-1/42',
      fingerprint: 'f',
      decision: { allow: false, source: 'cache', reason: 'backend-denied' },
      session: undefined,
      standIn: false,
      until: 10_000,
      generation: 0,
      version: 0,
      checks: 0,
    };
    const style = { answerHeaders: true, draining: false };
    const decisions = new KeptDecisions(new ManualClock(), 100);
    const metrics = new CheckMetrics(new Metrics());
    const memory = new Memory(new ManualClock(), decisions, metrics, style, () => 'id', 100);
    const remember = (facts: object): void => {
      const told = { ...facts, socket: { remoteAddress: '192.0.2.1' } } as unknown as IncomingMessage;
      memory.keep(told, 'astra', denied, { status: 403, headers: {} });
    };
    for (let i = 0; i < 100; i += 1) remember({ url: `/check?token=${i}`, headers: {} });
    expect(memory.size).toBe(100);
    for (let i = 0; i < 100; i += 1) remember(longOne(i));
    expect(memory.size).toBeLessThan(20);
  });
});
