import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { configSchema } from '#usher/config';
import { KeptDecisions, type Kept } from '#usher/decisions';
import { CheckMetrics, Metrics } from '#usher/observe';
import { ManualClock } from '#usher/testing';
import { EdgeDirectory } from '../edges/edge-directory.js';
import { GistMemory } from './gist-memory.js';
import { Visits, type Visit } from './visits.js';

const NGINX = '/e/nginx-1/forward';
const ENVOY = '/e/envoy-1/a-secret-of-its-own/forward';
const HEADERS: Readonly<Record<string, string>> = {
  'X-Original-URI': '/live/sport/index.m3u8?token=abc',
  'X-Original-Method': 'GET',
  'X-Original-Host': 'live.example.com',
  'X-Real-IP': '192.0.2.7',
  'User-Agent': 'VLC/3',
  Authorization: 'Basic YTpi',
  Cookie: 'sid=1',
  Referer: 'http://site.example/',
};
const config = configSchema.parse({
  edges: {
    'nginx-1': { dialect: 'forward', forward: { cookie: 'sid' } },
    'nginx-2': { dialect: 'forward', forward: { cookie: 'sid' } },
    'envoy-1': { secret: 'a-secret-of-its-own', forward: { proxy: 'envoy' } },
    'astra-1': {},
  },
});

let clock: ManualClock;
let decisions: KeptDecisions;
let visits: Visits;
let visit: Visit | undefined;
let kept: Kept;
let server: Server;
let allows: boolean;

/** A door that knows one thing: whoever is not remembered is answered, and remembered. */
beforeEach(async () => {
  clock = new ManualClock();
  decisions = new KeptDecisions(clock, 100);
  const store = { find: () => Promise.resolve(undefined), keep: () => Promise.resolve() };
  visits = new Visits(clock, store, 100);
  visit = undefined;
  allows = true;
  const directory = new EdgeDirectory(config.edges, []);
  const memory = new GistMemory({
    clock,
    kept: decisions,
    visits,
    metrics: new CheckMetrics(new Metrics()),
    style: { answerHeaders: true, draining: false },
    nextId: () => 'id',
    ttls: { grace: 60_000, denial: 10_000 },
    entries: 100,
  });
  server = createServer((incoming, response) => {
    if (memory.answer(incoming, response)) return;
    const edge = directory.resolve(incoming.url!.split('?')[0]!, incoming.socket.remoteAddress!);
    if (edge.kind === 'unknown') return void response.writeHead(403).end();
    kept = {
      name: 'nginx-1/42',
      fingerprint: 'f',
      decision: { allow: allows, source: 'cache', reason: 'backend-allowed' },
      session: undefined,
      standIn: false,
      until: clock.monotonic() + 100_000,
      generation: 0,
      version: 0,
      checks: 0,
    };
    if (edge.dialect.gist !== undefined) memory.learn(incoming, edge);
    memory.keep(incoming, kept, { status: allows ? 200 : 403, headers: { 'X-Accel-Expires': '100' } }, visit);
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
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly from?: string;
}

/** The rung that answered: `cache`, or none where the door had to be asked; and how long it holds. */
async function ask({
  url = NGINX,
  method = 'GET',
  headers = HEADERS,
  from = '127.0.0.1',
}: Ask = {}): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const call = request({
    port,
    path: url,
    method,
    headers,
    host: '127.0.0.1',
    localAddress: from,
    agent: false,
  });
  call.end();
  const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream & { headers: object }];
  response.resume();
  const said = response.headers as Record<string, string | undefined>;
  return `${said['x-usher-source'] ?? 'asked'} ${said['x-accel-expires'] ?? ''}`.trim();
}

describe('requests of one viewer on one channel', () => {
  it.each(['seg-1.ts', 'seg-2.ts', 'hd/3.ts', ''])('are answered by heart: /live/sport/%s', async (file) => {
    expect(await ask()).toBe('asked');
    const uri = `/live/sport/${file}?token=abc`;
    expect(await ask({ headers: { ...HEADERS, 'X-Original-URI': uri } })).toBe('cache 100');
  });

  it('are told how long the answer still holds', async () => {
    await ask();
    clock.advance(40_500);
    expect(await ask()).toBe('cache 59');
    clock.advance(58_000);
    expect(await ask()).toBe('cache 5');
  });

  it('are one whatever the proxy’s own method is', async () => {
    await ask();
    expect(await ask({ method: 'HEAD' })).toBe('cache 100');
  });

  it('are those that Envoy puts behind its prefix, secret and all', async () => {
    const headers = { Host: 'live.example.com', 'X-Forwarded-For': '192.0.2.7' };
    expect(await ask({ url: `${ENVOY}/live/sport/1.ts?token=a`, headers })).toBe('asked');
    expect(await ask({ url: `${ENVOY}/live/sport/2.ts?token=a`, headers })).toMatch(/^cache/);
    expect(await ask({ url: `${ENVOY}/live/film/2.ts?token=a`, headers })).toBe('asked');
    expect(await ask({ url: `${ENVOY}/live/sport/2.ts?token=b`, headers })).toBe('asked');
    const wrong = ENVOY.replace('secret', 'guess');
    expect(await ask({ url: `${wrong}/live/sport/2.ts?token=a`, headers })).toBe('asked');
  });

  it('are not answered from another edge’s memory', async () => {
    await ask();
    expect(await ask({ url: '/e/nginx-2/forward' })).toBe('asked');
    expect(await ask({ url: '/e/nginx-2/forward' })).toMatch(/^cache/);
  });

  it('are not answered to somebody who was not found to be the edge', async () => {
    await ask();
    expect(await ask({ from: '127.0.0.2' })).toBe('asked');
  });

  it.each(Object.keys(HEADERS))('are others where %s differs, or is missing', async (name) => {
    await ask();
    const other = name === 'Cookie' ? 'sid=2' : '/live/film/1.ts';
    expect(await ask({ headers: { ...HEADERS, [name]: other } })).toBe('asked');
    const { [name]: _, ...without } = HEADERS;
    expect(await ask({ headers: without })).toBe('asked');
  });

  it('are asked about when what was decided is over', async () => {
    await ask();
    expect(await ask()).toMatch(/^cache/);
    kept.until = 0;
    expect(await ask()).toBe('asked');
    decisions.generation += 1;
    expect(await ask()).toBe('asked');
  });

  it('are asked about when what they go on with is over, and live on while they are asked', async () => {
    visit = visits.note('v', { query: 'token=abc' }, 30_000);
    await ask();
    clock.advance(29_000);
    expect(await ask()).toMatch(/^cache/);
    clock.advance(29_000);
    expect(await ask()).toMatch(/^cache/);
    clock.advance(30_000);
    visit = undefined;
    expect(await ask()).toBe('asked');
  });

  it('of an edge that asks in another language are none of it', async () => {
    await ask();
    expect(await ask({ url: '/e/astra-1/check?token=1', headers: { 'X-Session-ID': '1' } })).toBe('asked');
    expect(await ask({ url: '/e/astra-1/check?token=1', headers: { 'X-Session-ID': '1' } })).toBe('asked');
  });
});
