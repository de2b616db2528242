import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { ASKED } from '../support/deadline.js';
import { exchange, rawGet, statusOf } from '../support/raw-http.js';
import { get } from '../support/usher-process.js';

const SECRET = 'edge-secret-0001';
/** Every byte, as a character. */
const BYTES = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

describe('the edges’ door', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  const port = (): number => cluster.gateway.port;
  const keys = async (pattern = '*'): Promise<string[]> =>
    (await cluster.redis.cli('KEYS', pattern)).split('\n').filter((key) => key !== '');

  beforeAll(async () => {
    portal = await startFakePortal();
    cluster = await startCluster(
      {
        log: { level: 'debug', format: 'json' },
        edges: {
          'astra-1': {},
          local: { addresses: ['127.0.0.1'] },
          'alta-1': { dialect: 'alta', addresses: ['127.0.0.2'] },
          locked: { secret: SECRET },
          elsewhere: { addresses: ['192.0.2.1'] },
        },
        backends: { portal: { type: 'http', url: `${portal.url}/check` } },
      },
      ALL_IN_ONE,
    );
  });

  beforeEach(() => {
    portal.requests.length = 0;
    portal.byToken({ bad: (_, response) => response.writeHead(403).end() }, (_, response) =>
      response.writeHead(200, { 'X-Session-Name': 'anna' }).end(),
    );
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  it('tells who asks by hand reason, source and user', async () => {
    const allowed = await get(port(), '/e/astra-1/check?token=hand');
    expect(allowed.status).toBe(200);
    expect(allowed.body).toMatch(
      /^allowed: .+\nreason: backend-allowed\nsource: (backend|direct)\nbackend: portal\nuser: anna\nid: [\w-]+\n$/,
    );
    const denied = await get(port(), '/e/astra-1/check?token=bad');
    expect(denied.status).toBe(403);
    expect(denied.body).toMatch(/^denied: .+\nreason: backend-denied\nsource: (backend|direct)\n/);
    expect(denied.body).toContain(`id: ${String(denied.headers['x-usher-id'])}`);
  });

  it('tells an edge no more than its contract, and the two headers of ours, which are in the log too', async () => {
    const { headers, body } = await cluster.gateway.check({ query: 'token=bad', sessionId: 'plain' });
    expect(body).toBe('');
    expect(headers).toMatchObject({ 'x-usher-source': ASKED, 'content-length': '0' });
    await eventually(() => expect(cluster.output()).toContain(`"id":"${String(headers['x-usher-id'])}"`));
  });

  it.each(['X-Location', 'Location'])('passes a denial’s %s on', async (header) => {
    const address = 'http://promo.example.com/play?why=expired';
    portal.deny(403, { [header]: address });
    const denied = await cluster.gateway.check({ sessionId: header, query: `token=${header}` });
    expect(denied.status).toBe(403);
    expect(denied.headers[header.toLowerCase()]).toBe(address);
  });

  it('never answers with a broken address, whatever the middleware sends', async () => {
    portal.deny(302, { Location: 'javascript:alert(1)', 'X-Location': '//evil.example.com' });
    const { status, headers } = await cluster.gateway.check({ sessionId: 'js', query: 'token=js' });
    expect(status).toBe(403);
    expect(headers).not.toHaveProperty('location');
    expect(headers).not.toHaveProperty('x-location');
  });

  it.each([
    [`/e/locked/${SECRET}/check?token=s1`, 200],
    ['/e/locked/check?token=s2', 403],
    ['/e/locked/edge-secret-0002/check?token=s3', 403],
    ['/e/astra-1/some-secret/check?token=s4', 403],
  ])('lets an edge with a secret in by its secret alone: %s → %d', async (path, status) => {
    expect(await get(port(), path)).toMatchObject({ status });
    expect(portal.requests).toHaveLength(status === 200 ? 1 : 0);
    expect(cluster.output()).not.toContain(SECRET);
  });

  it.each([
    ['an address that no edge has', '/check?token=u', '127.0.0.3', /127\.0\.0\.3 .*edges\.<name>\.addresses/],
    ['an edge that is not configured', '/e/who/check?token=u', '127.0.0.3', /127\.0\.0\.3 .*edges/],
    ['an edge from a wrong address', '/e/elsewhere/check', '127.0.0.3', /127\.0\.0\.3 .*edges\.elsewhere/],
  ])('refuses %s with its address and the setting, asking nobody', async (_, path, from, sentence) => {
    const { status, body } = await get(port(), path, { 'X-Real-IP': '192.0.2.9' }, { localAddress: from });
    expect(status).toBe(403);
    expect(body).toMatch(sentence);
    expect(portal.requests).toEqual([]);
  });

  it('answers as Cesbo’s auth-proxy at any path, in the dialect of the edge with that address', async () => {
    portal.deny(401);
    const headers = { 'X-Session-Id': 'a1', 'X-Real-Ip': '192.0.2.8', 'X-Real-Path': '/sport/hd/a1.m3u8' };
    expect(await get(port(), '/any/path?token=p1', headers, { localAddress: '127.0.0.2' })).toMatchObject({
      status: 403,
    });
    expect(await get(port(), '/any/path?token=p2', headers)).toMatchObject({ status: 401 });
  });

  it('reads the headers in any letter case', async () => {
    const headers = { 'x-session-id': 'case', 'X-CHANNEL-ID': 'C1', 'x-Real-iP': '192.0.2.77' };
    expect(await get(port(), '/e/astra-1/check?token=case', headers)).toMatchObject({
      status: 200,
      body: '',
    });
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-session-id': 'case',
      'x-channel-id': 'C1',
      'x-real-ip': '192.0.2.77',
    });
  });

  describe('and a missing X-Session-ID', () => {
    const anonymous = (query: string, agent = 'VLC/3') =>
      get(port(), `/e/astra-1/check?${query}`, { 'X-Channel-ID': 'd1', 'X-Real-UA': agent });

    it('is derived: the same question is the same session, another is another', async () => {
      expect(await anonymous('token=d1')).toMatchObject({ status: 200, source: ASKED });
      expect(await anonymous('token=d1')).toMatchObject({ status: 200, source: 'cache' });
      expect(await anonymous('token=d2')).toMatchObject({ status: 200, source: ASKED });
      expect(await anonymous('token=d1', 'other/1')).toMatchObject({ status: 200, source: ASKED });
      const ids = new Set(portal.requests.map(({ headers }) => String(headers['x-session-id'])));
      expect([...ids]).toEqual(Array(3).fill(expect.stringMatching(/^[a-z2-7]{26}$/)));
      for (const id of ids) {
        await eventually(async () => expect(await keys(`usher:session:*:astra-1:${id}`)).toHaveLength(1));
      }
    });
  });

  describe('against hostile input', () => {
    /** It goes on, and answers others. */
    afterEach(async () => {
      expect(await cluster.gateway.check({ sessionId: 'well', query: 'token=well' })).toMatchObject({
        status: 200,
      });
    });

    const long = (length: number): string => 'x'.repeat(length);

    it.each([
      ['a query of 9 KiB', rawGet(`/e/astra-1/check?token=${long(9_216)}`), 414],
      ['a query of 1 MiB', rawGet(`/e/astra-1/check?token=${long(1_048_576)}`), 414],
      ['a path of 9 KiB', rawGet(`/e/${long(9_216)}/check`), 414],
      ['a header of 9 KiB', rawGet('/e/astra-1/check', { 'X-Real-UA': long(9_216) }), 431],
      ['a header of 1 MiB', rawGet('/e/astra-1/check', { 'X-Real-UA': long(1_048_576) }), 431],
      [
        'a thousand headers',
        rawGet(
          '/e/astra-1/check',
          Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`X-${at}`, long(8)])),
        ),
        431,
      ],
      ['a session id of 257 bytes', rawGet('/e/astra-1/check', { 'X-Session-ID': long(257) }), 400],
      ['a channel id of 257 bytes', rawGet('/e/astra-1/check', { 'X-Channel-ID': long(257) }), 400],
      ['an address that is none', rawGet('*'), 404],
      ['no HTTP', 'HELO usher\r\n\r\n', 400],
      ['a header without an end', 'GET / HTTP/1.1\r\nHost: usher\r\nX-Session-ID 42\r\n\r\n', 400],
      [
        'two lengths',
        rawGet('/e/astra-1/check', { 'Content-Length': '1', 'Transfer-Encoding': 'chunked' }),
        400,
      ],
    ])('%s gets a status that says so', async (_, bytes, status) => {
      expect(statusOf(await exchange(port(), bytes))).toBe(status);
      expect(portal.requests).toEqual([]);
    });

    it('a request line of nearly 8 KiB is answered', async () => {
      const answer = await exchange(port(), rawGet(`/e/astra-1/check?token=${long(8_000)}`));
      expect(statusOf(answer)).toBe(200);
    });

    it.each(['/%zz?%zz', '/%', '//', '/..%2f..%2fetc/passwd?token=1', '/e/astra-1/check?%zz', '/?'])(
      'a malformed address is a check like any other: %s',
      async (target) => {
        const answer = await exchange(
          port(),
          rawGet(target, { 'X-Channel-ID': 'odd', 'X-Real-IP': '192.0.2.5' }),
        );
        expect(statusOf(answer)).toBe(200);
      },
    );

    const places: [string, (byte: string) => string][] = [
      ['session id', (byte) => rawGet('/e/astra-1/check?token=1', { 'X-Session-ID': `s${byte}s` })],
      ['channel id', (byte) => rawGet('/e/astra-1/check?token=2', { 'X-Channel-ID': `c${byte}c` })],
      [
        'user agent, path, host and address',
        (byte) =>
          rawGet('/e/astra-1/check?token=bad', {
            'X-Real-UA': `u${byte}u`,
            'X-Real-Path': `/p${byte}p`,
            'X-Real-Host': `h${byte}h`,
            'X-Real-IP': `192.0.2.1${byte}`,
          }),
      ],
      ['query', (byte) => rawGet(`/e/astra-1/check?token=bad${byte}x`, { 'X-Session-ID': 'q' })],
      ['edge’s name', (byte) => rawGet(`/e/as${byte}tra/check?token=3`)],
    ];

    it.each(places)(
      'no byte in the %s reaches an answer’s header, a log line or a key as it is',
      async (_, of) => {
        const answers = await Promise.all(BYTES.map((byte) => exchange(port(), of(byte))));
        for (const [byte, answer] of answers.entries()) {
          // CR and LF are the end of a line: what follows is another header, and the request perhaps none.
          if (![200, 400, 403].includes(statusOf(answer))) throw new Error(`byte ${byte}: ${answer}`);
          const head = answer.slice(0, answer.indexOf('\r\n\r\n')).split('\r\n');
          for (const line of head) expect(line).not.toMatch(CONTROL);
          expect(head.filter((line) => line.startsWith('HTTP/1.1'))).toHaveLength(1);
        }
        for (const key of await keys()) expect(key).toMatch(/^[\x21-\x7e]+$/);
        for (const line of cluster.output().trimEnd().split('\n')) {
          expect(line).not.toMatch(CONTROL);
          expect(() => JSON.parse(line) as unknown).not.toThrow();
        }
      },
    );

    it('ids of 256 bytes that differ in one are two sessions, and found again', async () => {
      const ids = ['\u00e9', '\u00ff'].map((last) => `${'\u0080\u00a0:/{}%'.repeat(36)}abc${last}`);
      const ask = (id: string) =>
        exchange(
          port(),
          rawGet('/e/astra-1/check?token=long', {
            'X-Session-ID': id,
            'X-Channel-ID': id,
            'X-Real-IP': '192.0.2.6',
          }),
        );
      expect(ids.map((id) => id.length)).toEqual([256, 256]);
      for (const id of ids) {
        expect(await ask(id)).toMatch(/X-Usher-Source: (backend|direct)/);
        expect(await ask(id)).toContain('X-Usher-Source: cache');
      }
      await eventually(async () => {
        const found = await keys('usher:session:*:astra-1:%80%A0%3A*');
        expect(found).toHaveLength(2);
      });
    });
  });
});
