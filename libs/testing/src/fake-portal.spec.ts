import { request } from 'node:https';
import { eventually } from './eventually.js';
import { startFakePortal } from './fake-portal.js';
import type { FakePortal, FakePortalOptions } from './fake-portal.js';
import { allow, deny, status } from './portal-behaviours.js';
import { TEST_CERTIFICATE } from './certificate.js';

let portal: FakePortal;
afterEach(() => portal.stop());
const start = async (options?: FakePortalOptions) => {
  portal = await startFakePortal(options);
};

const get = (path = '/', init?: RequestInit) => fetch(portal.url + path, init);

/** How the fetch failed: undici's code, or the system's. */
async function failureOf(answer: Promise<unknown>): Promise<string> {
  const error: unknown = await answer.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  const cause = (error as Error).cause as { code?: string } | undefined;
  return cause?.code ?? String(error);
}

describe('FakePortal', () => {
  it('allows, denies and answers as it is told, and remembers what it was asked', async () => {
    await start();
    portal.allow({ 'X-UserId': '7' });
    const allowed = await get('/check?token=a%20b', { headers: { 'X-Session-ID': '42' } });
    expect([allowed.status, allowed.headers.get('x-userid')]).toEqual([200, '7']);
    portal.deny(403, { 'X-Location': '/promo' });
    const denied = await get();
    expect([denied.status, denied.headers.get('x-location')]).toEqual([403, '/promo']);
    portal.status(503, { 'Retry-After': '5' }, 'busy');
    expect(await (await get()).text()).toBe('busy');
    expect(portal.requests).toMatchObject([
      { method: 'GET', url: '/check?token=a%20b', headers: { 'x-session-id': '42' } },
      { url: '/' },
      { url: '/' },
    ]);
  });

  it('decides by token, or by any part of the request', async () => {
    await start();
    portal.byToken({ 123: allow(), old: status(410) });
    const codes = async (...paths: string[]) =>
      Promise.all(paths.map(async (path) => (await get(path)).status));
    expect(await codes('/?token=123', '/?a=1&token=old', '/?token=other', '/')).toEqual([200, 410, 403, 403]);
    portal.byToken((request) => (request.url === '/tv' ? allow() : deny(401)));
    expect(await codes('/tv', '/')).toEqual([200, 401]);
  });

  it('hangs, and counts what is in flight', async () => {
    await start();
    portal.hang();
    const gone = new AbortController();
    const hanging = [1, 2, 3].map(() => failureOf(get('/', { signal: gone.signal })));
    await portal.waitForRequests(3);
    expect(portal.inFlight).toBe(3);
    gone.abort();
    await Promise.all(hanging);
    await eventually(() => portal.inFlight === 0);
    expect(portal.mostInFlight).toBe(3);
  });

  it('answers late', async () => {
    await start();
    portal.slow(60, deny());
    const before = performance.now();
    expect((await get()).status).toBe(403);
    expect(performance.now() - before).toBeGreaterThan(55);
  });

  it('breaks the connection, and HTTP, in all ways', async () => {
    await start();
    portal.reset();
    expect(await failureOf(get())).toBe('ECONNRESET');
    portal.garbage('bytes');
    // What the client calls it differs from Node to Node.
    expect(await failureOf(get())).toMatch(/^HPE_|fetch failed/);
    portal.garbage('truncated');
    expect(await failureOf((await get()).text())).toBe('UND_ERR_SOCKET');
    portal.endlessHeaders();
    expect(await failureOf(get())).toBe('UND_ERR_HEADERS_OVERFLOW');
    portal.garbage();
    const page = await get();
    expect(page.status).toBe(200);
    expect(await page.text()).toContain('Fatal error');
  });

  it('sends a body without an end', async () => {
    await start();
    portal.endlessBody();
    const reader = (await get()).body!.getReader();
    let length = 0;
    while (length < 1_000_000) length += (await reader.read()).value!.byteLength;
    await reader.cancel();
    await eventually(() => portal.inFlight === 0);
  });

  it('goes down, cutting what is unanswered, and comes up on the same port', async () => {
    await start();
    const { port } = portal;
    portal.hang();
    const cut = failureOf(get());
    await portal.waitForRequests(1);
    await portal.down();
    expect(await cut).toMatch(/UND_ERR_SOCKET|ECONNRESET/);
    expect(await failureOf(get())).toBe('ECONNREFUSED');
    await portal.up();
    portal.allow();
    expect(portal.port).toBe(port);
    expect((await get()).status).toBe(200);
  });

  it('speaks TLS, and drops it', async () => {
    await start({ tls: true });
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        request(portal.url, { ca: TEST_CERTIFICATE, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(await ask()).toBe(200);
    portal.dropTls();
    await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
    portal.allow();
    expect(await ask()).toBe(200);
  });
});
