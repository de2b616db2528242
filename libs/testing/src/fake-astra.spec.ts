import { startFakeAstra } from './fake-astra.js';
import type { FakeAstra, FakeAstraOptions } from './fake-astra.js';
import { startFakePortal } from './fake-portal.js';
import type { FakePortal } from './fake-portal.js';
import { ManualClock } from './manual-clock.js';

let auth: FakePortal;
let astra: FakeAstra;

beforeEach(async () => {
  auth = await startFakePortal();
});
afterEach(async () => {
  await astra.stop();
  await auth.stop();
});

const start = async (options: Partial<FakeAstraOptions> = {}) => {
  astra = await startFakeAstra({ auth: `${auth.url}/check`, timeoutMs: 2_000, ...options });
};

function control(order: unknown, credentials = 'usher:secret') {
  return fetch(`${astra.url}/control/`, {
    method: 'POST',
    body: JSON.stringify(order),
    headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  });
}

describe('FakeAstra', () => {
  it('asks with the six headers and the viewer’s own query, byte for byte', async () => {
    await start();
    const query = 'token=1%202&x=%E9"|^&&y=?';
    await astra.play({ channel: 'a001', query, ip: '192.0.2.9', ua: 'VLC/3', host: 'tv.example.com' });
    const asked = auth.requests[0]!;
    expect(asked.method).toBe('GET');
    expect(asked.url).toBe(`/check?${query}`);
    const pairs = asked.rawHeaders.filter((_, at) => asked.rawHeaders[at - (at % 2)]!.startsWith('X-'));
    expect(pairs.join(' ')).toBe(
      'X-Session-ID 1 X-Channel-ID a001 X-Real-IP 192.0.2.9 ' +
        'X-Real-Path /play/a001/index.m3u8 X-Real-UA VLC/3 X-Real-Host tv.example.com',
    );
  });

  it('plays what is allowed, and what nobody answers', async () => {
    await start({ timeoutMs: 1_000 });
    auth.allow({ 'X-Session-Name': 'alice' });
    expect(await astra.play({ channel: 'a' })).toMatchObject({
      allowed: true,
      answered: true,
      status: 200,
      sessionId: '1',
      headers: { 'x-session-name': 'alice' },
    });
    auth.deny();
    expect(await astra.play({ channel: 'a' })).toMatchObject({ allowed: false, answered: true, status: 403 });
    auth.hang();
    expect(await astra.play({ channel: 'a' })).toMatchObject({ allowed: true, answered: false, status: 0 });
    await auth.down();
    expect(await astra.play({ channel: 'a' })).toMatchObject({
      allowed: true,
      answered: false,
      sessionId: '4',
    });
    expect(astra.sessions.map(({ client_id }) => client_id)).toEqual(['1', '3', '4']);
  });

  it('lists its sessions to who may ask', async () => {
    const clock = new ManualClock();
    await start({ user: 'usher', password: 'secret', clock });
    await astra.play({ channel: 'a001', ip: '192.0.2.9' });
    clock.advance(90_500);
    const answer = await control({ cmd: 'sessions' });
    expect(await answer.json()).toEqual({
      sessions: [
        { client_id: '1', channel_id: 'a001', channel_name: 'Channel a001', addr: '192.0.2.9', uptime: 90 },
      ],
    });
    expect((await control({ cmd: 'sessions' }, 'usher:guess')).status).toBe(401);
    expect((await control({ cmd: 'reboot' })).status).toBe(400);
    expect((await control('not an order')).status).toBe(400);
  });

  it('closes a session on order, and tells its webhook', async () => {
    const hook = await startFakePortal();
    await start({ webhook: `${hook.url}/closed`, listedIds: 'own' });
    const { sessionId } = await astra.play({ channel: 'a001' });
    const { client_id } = astra.sessions[0]!;
    expect(client_id).not.toBe(sessionId);
    expect((await control({ cmd: 'close-session', id: client_id })).status).toBe(200);
    expect(astra.sessions).toEqual([]);
    expect(hook.requests).toMatchObject([{ method: 'POST', url: '/closed' }]);
    await hook.stop();
  });

  it('counts anew after a restart', async () => {
    await start();
    await astra.play({ channel: 'a' });
    await astra.play({ channel: 'b' });
    astra.restart();
    expect(astra.sessions).toEqual([]);
    expect((await astra.play({ channel: 'c' })).sessionId).toBe('1');
  });
});
