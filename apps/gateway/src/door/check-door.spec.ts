import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { configSchema } from '#usher/config';
import { compileRoutes, KeptDecisions, traitsOf, type CheckContext, type Settled } from '#usher/decisions';
import type { Log } from '#usher/domain';
import { CheckMetrics, Metrics, ThrottledLog } from '#usher/observe';
import { ManualClock } from '#usher/testing';
import { askerReader } from '../edges/asker.js';
import { EdgeDirectory } from '../edges/edge-directory.js';
import { CheckDoor, type Bookkeeper } from './check-door.js';
import { GistMemory } from './gist-memory.js';
import { Memory } from './memory.js';
import { Visits } from './visits.js';

const config = configSchema.parse({
  edges: {
    'astra-1': { addresses: ['127.0.0.1'] },
    'alta-1': { dialect: 'alta' },
    'flussonic-1': { dialect: 'flussonic' },
    'nginx-1': { dialect: 'forward' },
  },
  backends: { portal: { type: 'http', url: 'http://portal.example.com' } },
  routes: [{ backend: 'portal' }],
});
const ASTRA = '/e/astra-1/check?token=123';
const ALTA = '/e/alta-1/check?token=123';
const FLUSSONIC = '/e/flussonic-1/flussonic?name=a001&ip=192.0.2.7&token=abc';
const NGINX = '/e/nginx-1/forward';
const HEADERS: Readonly<Record<string, string>> = {
  'X-Session-ID': '42',
  'X-Channel-ID': 'a001',
  'X-Real-IP': '192.0.2.7',
  'X-Real-Path': '/play/a001',
  'X-Original-Method': 'GET',
  'X-Original-Host': 'live.example.com',
  'X-Original-URI': '/live/a001/index.m3u8?token=123',
};
const ALLOWED: Settled = { decision: { allow: true, source: 'backend', reason: 'backend-allowed' } };

let server: Server;
let logged: string[];
let noted: string[];
let hops: string[];

interface Breaks {
  readonly decide?: (context: CheckContext) => Promise<Settled>;
  readonly bookkeepers?: readonly Bookkeeper[];
  readonly askerOf?: () => never;
}

/** A door whose ladder says what a test wants. */
async function open({ decide = () => Promise.resolve(ALLOWED), ...parts }: Breaks = {}): Promise<void> {
  logged = [];
  noted = [];
  hops = [];
  const clock = new ManualClock();
  const kept = new KeptDecisions(clock, 100);
  const metrics = new CheckMetrics(new Metrics());
  const style = { answerHeaders: true, draining: false };
  const store = { find: () => Promise.resolve(undefined), keep: () => Promise.resolve() };
  const visits = new Visits(clock, store, 100);
  const ttls = { grace: 60_000, denial: 10_000 };
  const nextId = (): string => 'id';
  const say = (_fields: object, text: string): void => void logged.push(text);
  const log: Log = { debug: () => undefined, info: () => undefined, warn: say, error: say };
  const nothing = (): never => {
    throw new Error('not asked in this test');
  };
  const door = new CheckDoor({
    clock,
    log,
    strangers: new ThrottledLog(log, clock),
    directory: new EdgeDirectory(config.edges, []),
    askerOf: askerReader([]),
    watchHops: (edge, address) => hops.push(`${edge} ${address}`),
    routeOf: compileRoutes(config, undefined),
    backends: traitsOf(config),
    ladder: { decide, publish: nothing, unrouted: nothing },
    observeMode: { decide: nothing },
    kept,
    memory: new Memory(clock, kept, metrics, style, nextId, 100),
    gists: new GistMemory({ clock, kept, visits, metrics, style, nextId, ttls, entries: 100 }),
    visits,
    metrics,
    style,
    nextId,
    deadline: 2_000,
    limits: { requestLine: 8_192, headers: 8_192 },
    bookkeepers: [],
    closed: () => Promise.resolve(),
    ended: () => Promise.resolve(),
    ttls,
    ...parts,
  });
  server = createServer((incoming, response) => void door.answer(incoming, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
}

afterEach(() => {
  server.close();
});

/** The status of the answer, or that the connection ended without one. */
async function ask(path: string): Promise<number | 'unanswered'> {
  const { port } = server.address() as AddressInfo;
  const call = request({ port, path, headers: HEADERS, host: '127.0.0.1', agent: false });
  call.end();
  try {
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    response.resume();
    await once(response, 'end');
    return response.statusCode ?? 0;
  } catch {
    return 'unanswered';
  }
}

it('tells of what stands between us and an edge that is named by its address, and of no other edge', async () => {
  await open();
  expect([await ask(ASTRA), await ask(FLUSSONIC)]).toEqual([200, 200]);
  expect(hops).toEqual([]);
  expect(await ask('/check?token=123')).toBe(200);
  expect(hops).toEqual(['astra-1 127.0.0.1']);
});

const breaks = (): never => {
  throw new Error('broken');
};

describe('what is written down about a check', () => {
  it.each([ASTRA, ALTA, FLUSSONIC, NGINX])('changes no answer where it breaks: %s', async (path) => {
    await open({ bookkeepers: [breaks, (_, { decision }) => noted.push(decision.reason), breaks] });
    expect(await ask(path)).toBe(200);
    expect(noted).toEqual(['backend-allowed']);
    expect(logged).toEqual(['an answer that was given could not be written down']);
  });

  it('is written once the answer is on its way', async () => {
    await open({ bookkeepers: [() => noted.push('written down')] });
    server.prependListener('request', (_, response) => {
      const end = response.end.bind(response);
      response.end = ((body: string) => (noted.push('answered'), end(body))) as typeof response.end;
    });
    expect(await ask(ASTRA)).toBe(200);
    expect(noted).toEqual(['answered', 'written down']);
  });

  it('is written of a connection that ends unanswered, too', async () => {
    const decision = { ...ALLOWED.decision, silent: true };
    await open({
      decide: () => Promise.resolve({ decision }),
      bookkeepers: [(_, settled) => noted.push(settled.decision.reason)],
    });
    expect(await ask(ASTRA)).toBe('unanswered');
    expect(noted).toEqual(['backend-allowed']);
  });
});

describe('a check over which we break', () => {
  it.each([
    ['an Astra, which lets its viewer in', ASTRA, 'unanswered'],
    ['an Alta, which lets its viewer in', ALTA, 'unanswered'],
    ['a Flussonic, whose sessions play on', FLUSSONIC, 503],
    ['an nginx, which knows nothing but yes and no', NGINX, 403],
  ] as const)('is answered as is best for a viewer at %s', async (_, path, answer) => {
    await open({ decide: breaks });
    expect(await ask(path)).toBe(answer);
    expect(logged).toEqual(['a request could not be answered']);
  });

  it.each([ASTRA, NGINX])('before anybody knows whom it is about ends unanswered: %s', async (path) => {
    await open({ askerOf: breaks });
    expect(await ask(path)).toBe('unanswered');
    expect(logged).toEqual(['a request could not be answered']);
  });
});
