import { startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { exchange } from '../support/raw-http.js';
import { wire, type Message } from './message.js';
import { SERVERS } from './servers/all.js';
import type { Facts, Server } from './servers/server.js';
import { FORGED, NO_WORDS, type Words } from './words.js';

const { ip, channel, session } = FORGED;
const LIVE = `/live/${channel}/index.m3u8`;
const LONG = `token=t&x=${'x'.repeat(65_536)}`;

const ALL = SERVERS.map(({ name }) => name);
/** Their channels are read out of the viewer's paths. */
const READS_PATHS = SERVERS.flatMap(({ name, dialect }) =>
  dialect === 'forward' || name === 'alta' ? [name] : [],
);
const TELLS_NO_PLAYER: ReadonlySet<string> = new Set([
  'flussonic, publishing',
  'srs',
  'srs, publishing',
  'srs, before 2021',
]);

/** asked: the backend was asked with his server's own facts, and nobody else's. refused: nobody was asked, and he is out. */
type Outcome = 'asked' | 'refused';

/** What he tries, and who refuses it, in their order; with all others the backend is asked. */
const ATTEMPTS: readonly (readonly [attempt: string, words: Partial<Words>, refusedBy: readonly string[]])[] =
  [
    ['nothing', {}, []],
    [
      'fields of his own',
      { query: `ip=${ip}&name=${channel}&session_id=${session}&addr=${ip}&client_id=1` },
      [],
    ],
    ['to publish', { query: 'action=publish&call=publish&request_type=x&direction=incoming' }, []],
    ['parameters twice', { query: `token=a&token=b&ip=${ip}&ip=${ip}&name=${channel}&name=` }, []],
    ['a token that is a query', { token: `t&ip=${ip}&name=${channel}`, query: `token=t%26ip%3D${ip}` }, []],
    [
      'forged X- headers',
      {
        headers: [
          ['X-Real-IP', ip],
          ['x-real-ip', ip],
          ['X_Real_IP', ip],
          ['X-Channel-ID', channel],
          ['X-Session-ID', session],
          ['X-Real-Path', LIVE],
          ['X-Original-URI', LIVE],
          ['X-Original-URL', LIVE],
          ['X-Original-Method', 'OPTIONS'],
          ['X-HTTP-Method-Override', 'POST'],
          ['X-OME-Signature', 'x'],
        ],
      },
      [],
    ],
    [
      'forged X-Forwarded- headers',
      {
        headers: [
          ['X-Forwarded-For', ip],
          ['X-Forwarded-For', `${ip}, ${ip}`],
          ['X-Forwarded-Uri', LIVE],
          ['X-Forwarded-Method', 'OPTIONS'],
          ['X-Forwarded-Host', 'vip.example.com'],
          ['X-Forwarded-Prefix', '/live/vip'],
          ['Forwarded', `for=${ip}`],
        ],
      },
      [],
    ],
    ['dots', { path: `/live/a001/../${channel}/index.m3u8` }, READS_PATHS],
    ['escaped dots', { path: `/live/a001/%2e%2E/${channel}/index.m3u8` }, READS_PATHS],
    ['dots that are escaped twice', { path: `/live/a001/%252e%252e/${channel}/index.m3u8` }, READS_PATHS],
    ['escaped slashes', { path: `/live/a001%2f..%2f${channel}/index.m3u8` }, READS_PATHS],
    ['backslashes', { path: `/live/a001\\..\\${channel}/index.m3u8` }, READS_PATHS],
    ['dots with a parameter', { path: `/live/a001/..;a=b/${channel}/index.m3u8` }, READS_PATHS],
    ['dots at the top', { path: `/../live/${channel}/../a001/index.m3u8` }, READS_PATHS],
    ['slashes twice', { path: '//live//a001///index.m3u8' }, ['ome']],
    ['a query in the path', { path: `/live/a001/index.m3u8%3f/../../${channel}/x` }, READS_PATHS],
    ['an address in the query', { query: `x=://h/live/${channel}/index.m3u8` }, ['ome']],
    ['a password in the query', { query: `x=a:b@h/live/${channel}/index.m3u8` }, ['ome']],
    ['64 KiB of query', { query: LONG }, ALL],
    [
      '64 KiB of a player’s name',
      { userAgent: 'x'.repeat(65_536) },
      ALL.filter((name) => !TELLS_NO_PLAYER.has(name)),
    ],
    [
      'bytes that are no UTF-8',
      { query: 'token=%ff%fe&x=%c0%ae%ed%a0%80', userAgent: '\u00ed\u00a0\u0080', token: '\u00ff' },
      [],
    ],
    // Node's parser takes none in a request line: neither the gateway's, nor that of the portal here.
    ['bytes that are not escaped', { query: 'token=\u00c3\u00a9&x=\u00c0\u00ae' }, ALL],
    ['escapes that are none', { query: 'token=%zz%&x=%&%=%u0026', token: '%zz%' }, []],
    [
      'line ends',
      { query: `a=1\r\nX-Real-IP: ${ip}\r\n\r\nGET / HTTP/1.1\r\n`, userAgent: `a\r\nX-Real-IP: ${ip}` },
      ['srs, before 2021'],
    ],
    ['escaped line ends', { query: `a=1%0d%0aX-Real-IP:%20${ip}%0d%0a%0d%0a` }, []],
    ['a byte that ends texts', { query: 'token=t\0&x=%00', userAgent: 'a\0b' }, ['srs, before 2021']],
    [
      'JSON of his own',
      { query: `t","ip":"${ip}","stream":"${channel}`, token: `","ip":"${ip}` },
      ['srs, before 2021'],
    ],
    ['names that all objects have', { query: '__proto__=1&constructor=1&toString=1&hasOwnProperty=1' }, []],
  ];

describe('what hostile viewers try, through a gateway', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let turn = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    const edges = SERVERS.map(({ dialect, settings }, at) => [nameOf(at), { dialect, ...settings }] as const);
    cluster = await startCluster(
      {
        edges: Object.fromEntries(edges),
        backends: { portal: { type: 'http', url: `${portal.url}/check`, failMode: 'closed' } },
        routes: [{ backend: 'portal' }, { match: { action: 'publish' }, backend: 'portal' }],
      },
      ALL_IN_ONE,
    );
  });
  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  it.each(ATTEMPTS)('%s', async (_, words, refusedBy) => {
    const outcomes: Record<string, Outcome> = {};
    for (const [at, server] of SERVERS.entries()) {
      outcomes[server.name] = await outcomeOf(server, at, { ...NO_WORDS, query: 'token=t', ...words });
    }
    const expected = SERVERS.map(({ name }) => [name, refusedBy.includes(name) ? 'refused' : 'asked']);
    expect(outcomes).toEqual(Object.fromEntries(expected));
  });

  /** Each is somebody new: nothing is answered from memory. */
  async function outcomeOf(server: Server, at: number, words: Words): Promise<Outcome> {
    turn += 1;
    const facts: Facts = {
      ip: `198.51.${turn >> 8}.${turn & 255}`,
      app: 'live',
      stream: 'a001',
      session: String(turn),
    };
    portal.requests.length = 0;
    const word = server.dialect === 'astra' || server.dialect === 'alta' ? 'check' : server.dialect;
    const answer = await told(server.asks(facts, words, `/e/${nameOf(at)}/${word}`));
    if (portal.requests.length === 0) {
      expect(answer).not.toMatch(LETS_IN);
      return 'refused';
    }
    expect(answer).toMatch(LETS_IN);
    expect(portal.requests).toHaveLength(1);
    const { headers } = portal.requests[0]!;
    expect(headers['x-real-ip']).toBe(facts.ip);
    if (server.sessions === 'named') expect(headers['x-session-id']).toBe(facts.session);
    for (const plays of server.plays(facts, words)) expect(headers['x-channel-id']).toBe(plays);
    return 'asked';
  }

  function told({ method, target, headers, body }: Message): Promise<string> {
    return exchange(
      cluster.gateway.port,
      wire({ method, target, headers: [...headers, ['Connection', 'close']], body }),
    );
  }
});

const nameOf = (at: number): string => `edge-${at}`;

/** To whoever asked: 200, unless the body says otherwise. */
const LETS_IN = /^HTTP\/1\.1 200 (?![\s\S]*("code":[^0]|"allowed":false))/;
