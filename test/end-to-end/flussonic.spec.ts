import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';
import { foundSession } from '../support/found-session.js';
import { ministra } from '../support/middlewares.js';
import { exchange, rawGet } from '../support/raw-http.js';
import { wholeTimes } from '../support/whole-times.js';

const SCRIPT = '/stalker_portal/server/api/chk_flussonic_tmp_link.php';
const PROMO = 'http://promo.example.com/play?why=expired';

/** The bytes that answer, with a header that differs each time made one. */
const same = (bytes: string): string =>
  bytes
    .replace(/X-Usher-Id: [\w-]+/, 'X-Usher-Id: …')
    .replace(/X-Usher-Source: (backend|direct)/, 'X-Usher-Source: asked')
    .replace(/Date: [^\r]+\r\n/, '');
/** Of allows; a denial’s is whole. */
const whole = (answer: string): string => wholeTimes(answer, 'X-AuthDuration', [40, 180]);
const lines = (...head: string[]): string => `${head.join('\r\n')}\r\n\r\n`;

describe('a Flussonic whose on_play asks a gateway of ours', () => {
  const tokens = new Map<string, string>();
  let portal: FakePortal;
  let studio: FakePortal;
  let cluster: UsherCluster;

  beforeAll(async () => {
    [portal, studio] = await Promise.all([startFakePortal(), startFakePortal()]);
    const config = {
      edges: {
        'flu-1': { dialect: 'flussonic' },
        'flu-2': { dialect: 'flussonic', ttl: '40s', flussonic: { passLimits: true } },
      },
      backends: {
        portal: { type: 'ministra', url: `${portal.url}/stalker_portal`, failMode: 'closed' },
        studio: { type: 'http', url: `${studio.url}/publish` },
      },
      routes: [{ match: { action: 'publish' }, backend: 'studio' }, { backend: 'portal' }],
    };
    cluster = await startCluster(config, ALL_IN_ONE);
  });

  beforeEach(() => {
    tokens.clear();
    portal.behave(ministra(tokens));
    portal.requests.length = 0;
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([portal?.stop(), studio?.stop()]);
  });

  /** As Flussonic puts it together. */
  const asked = async (
    fields: Record<string, string>,
    edge = 'flu-1',
    word = 'flussonic',
  ): Promise<string> => {
    const query = Object.entries({ name: 'cnn', proto: 'hls', ip: '192.0.2.7', ...fields })
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&');
    return whole(await exchange(cluster.gateway.port, rawGet(`/e/${edge}/${word}?${query}`)));
  };
  const begin = { request_type: 'new_session', request_number: '0', stream_clients: '1', total_clients: '2' };
  const update = {
    ...begin,
    request_type: 'update_session',
    request_number: '1',
    duration: '180',
    bytes: '9',
  };

  it('is told that a viewer may play, for how long, and whose he is; the portal got his query byte for byte', async () => {
    tokens.set('7a', 'anna');
    const viewer = {
      session_id: 'fd0c-1',
      token: '7a',
      qs: 'x=%C3%A9%zz&&token=7a&e=&?',
      user_agent: 'MAG 254',
    };
    expect(same(await asked({ ...viewer, ...begin }))).toBe(
      lines(
        'HTTP/1.1 200 OK',
        'X-AuthDuration: 180',
        'X-UserId: anna',
        'X-Usher-Source: asked',
        'X-Usher-Id: …',
        'Content-Length: 0',
        'Connection: close',
      ),
    );
    expect(portal.requests).toMatchObject([{ method: 'GET', url: `${SCRIPT}?x=%C3%A9%zz&&token=7a&e=&?` }]);
    expect(portal.requests[0]!.headers).toMatchObject({
      'x-session-id': 'fd0c-1',
      'x-channel-id': 'cnn',
      'x-real-ip': '192.0.2.7',
      'x-real-ua': 'MAG 254',
    });
    // The link dies at once; the session lives on.
    tokens.clear();
    const again = await asked({ ...viewer, ...update });
    expect(again).toMatch(/^HTTP\/1.1 200 OK\r\nX-AuthDuration: 180\r\nX-UserId: anna\r\n/);
    expect(portal.requests).toHaveLength(1);
  });

  it('is told to refuse, shortly; or where to send the player', async () => {
    const viewer = { session_id: 'fd0c-2', token: 'guess', qs: 'token=guess', ...begin };
    expect(same(await asked(viewer))).toBe(
      lines(
        'HTTP/1.1 403 Forbidden',
        'X-AuthDuration: 10',
        'X-Usher-Source: asked',
        'X-Usher-Id: …',
        'Content-Length: 0',
        'Connection: close',
      ),
    );
    portal.deny(403, { 'X-Location': PROMO });
    const moved = await asked({ ...viewer, token: 'old', qs: 'token=old', session_id: 'fd0c-3' });
    expect(moved).toMatch(/^HTTP\/1.1 302 Found\r\nX-AuthDuration: 10\r\nLocation: http:\/\/promo/);
  });

  it('finds its viewer’s fields nowhere but in its own query', async () => {
    tokens.set('7b', 'bob');
    const viewer = { session_id: 'fd0c-4', token: '7b', qs: 'token=7b&name=free&ip=10.0.0.1', ...begin };
    expect(await asked(viewer)).toMatch(/^HTTP\/1.1 200/);
    expect(portal.requests[0]!.headers).toMatchObject({ 'x-channel-id': 'cnn', 'x-real-ip': '192.0.2.7' });
  });

  it('gets the portal’s limits where it is configured so, and its own ttl; the address may be that of any check', async () => {
    tokens.set('7c', 'carl');
    const viewer = { session_id: 'fd0c-5', token: '7c', ...begin };
    expect(await asked(viewer, 'flu-2', 'check')).toMatch(
      /^HTTP\/1.1 200 OK\r\nX-AuthDuration: 40\r\nX-UserId: carl\r\nX-Max-Sessions: 10\r\nX-Unique: true\r\n/,
    );
    // The token stood apart from the query.
    expect(portal.requests).toMatchObject([{ url: `${SCRIPT}?token=7c` }]);
  });

  it('plays on whom it knows while nobody can be asked, and refuses newcomers, by a 503', async () => {
    tokens.set('7d', 'dora');
    const viewer = { session_id: 'fd0c-6', token: '7d', qs: 'token=7d' };
    expect(await asked({ ...viewer, ...begin })).toMatch(/^HTTP\/1.1 200/);
    portal.reset();
    expect(await asked({ ...viewer, ...update })).toMatch(/^HTTP\/1.1 200/);
    const newcomer = { session_id: 'fd0c-7', token: '9', ip: '198.51.100.9', ...begin };
    const unanswered = await asked(newcomer);
    expect(unanswered).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\nX-Usher-Source: fail-closed\r\n/);
    expect(unanswered).not.toContain('X-AuthDuration');
  });

  it('hears of a kick at its next question', async () => {
    tokens.set('7e', 'emil');
    const viewer = { session_id: 'fd0c-8', token: '7e', qs: 'token=7e' };
    expect(await asked({ ...viewer, ...begin })).toMatch(/^HTTP\/1.1 200/);
    await eventually(async () => (await foundSession(cluster.redis, 'fd0c-8', 'flu-1')) !== undefined);
    const [, address] = /operators: (http:\/\/[\d.:]+)/.exec(cluster.control.output())!;
    const token = (await readFile(join(cluster.control.data, 'admin-token'), 'utf8')).trim();
    const kicked = await fetch(`${address}/api/v1/kicks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ session: { edge: 'flu-1', id: 'fd0c-8' }, holdFor: '1s', reason: 'a test' }),
    });
    expect(kicked.status).toBe(200);
    const { holds } = (await kicked.json()) as { holds: { until: string }[] };
    const until = Math.max(...holds.map((hold) => Date.parse(hold.until)));
    // Flussonic asks when the hold is over; the portal would let him in.
    await eventually(() => expect(Date.now()).toBeGreaterThan(until + 500));
    await eventually(async () => expect(await asked({ ...viewer, ...update })).toMatch(/^HTTP\/1.1 403/));
  });

  it('asks who may publish with a POST, which another backend answers', async () => {
    const publish = async (body: string): Promise<string> => {
      const head = `POST /e/flu-1/flussonic HTTP/1.1\r\nHost: usher\r\nContent-Type: application/json\r\n`;
      const bytes = `${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
      return whole(await exchange(cluster.gateway.port, Buffer.from(bytes).toString('latin1')));
    };
    const question = { name: 'studio', proto: 'rtmp', ip: '192.0.2.8', request_number: 0, session_id: 'p-1' };
    const asking = (token: string) =>
      publish(JSON.stringify({ ...question, ...begin, token, qs: `token=${token}` }));
    studio.byToken({ good: (_, response) => response.writeHead(200).end() }, (_, response) =>
      response.writeHead(403).end(),
    );
    expect(await asking('good')).toMatch(/^HTTP\/1.1 200 OK\r\nX-AuthDuration: 180\r\n/);
    expect(await asking('bad')).toMatch(/^HTTP\/1.1 403 Forbidden\r\nX-AuthDuration: 10\r\n/);
    expect(studio.requests.map(({ headers }) => headers['x-usher-action'])).toEqual(['publish', 'publish']);
    expect(portal.requests).toEqual([]);
    expect(await publish('name=studio')).toMatch(
      /^HTTP\/1.1 400 Bad Request\r\n[\s\S]*the body is no JSON\n$/,
    );
  });
});
