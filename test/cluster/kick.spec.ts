import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  eventually,
  FakeBox,
  portalBehaviours,
  startFakeAstra,
  startFakePortal,
  type FakeAstra,
  type FakePortal,
} from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';

const { allow } = portalBehaviours;

interface ApiAnswer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- the test looks into it as it likes
  readonly body: any;
}

/** What an operator does, over real HTTP, against three gateways, an Astra and a MAG box. */
describe('a kick', () => {
  let portal: FakePortal;
  let astra: FakeAstra;
  let cluster: UsherCluster;
  let api: (method: string, path: string, body?: unknown) => Promise<ApiAnswer>;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.allow({ 'X-UserId': 'anna' });
    const options = { auth: 'http://127.0.0.1:1/', user: 'usher', password: 'open sesame' };
    astra = await startFakeAstra(options);
    const config = {
      gateway: { answerTtl: { allow: '1ms' } },
      edges: {
        'astra-1': {
          control: { url: astra.url, user: 'usher', password: 'open sesame' },
          listInterval: '1s',
        },
      },
      backends: { portal: { type: 'ministra', url: `${portal.url}/check` } },
    };
    cluster = await startCluster(config, { all: 1, gateways: 2 });
    options.auth = `http://127.0.0.1:${cluster.gateway.port}/e/astra-1/check`;
    const [, address] = /operators: (http:\/\/[\d.:]+)/.exec(cluster.control.output())!;
    const token = (await readFile(join(cluster.control.data, 'admin-token'), 'utf8')).trim();
    api = async (method, path, body) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const answer = await fetch(`${address}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
      return { status: answer.status, body: await answer.json() };
    };
  });

  afterAll(async () => {
    await cluster?.stop();
    await Promise.all([astra?.stop(), portal?.stop()]);
  });

  const stateOf = async (id: string): Promise<string | undefined> => {
    const { status, body } = await api('GET', `/sessions/astra-1/${id}`);
    return status === 200 ? body.session.state : undefined;
  };

  it('cuts a box at its Astra, refuses its return under a new id and token, and lets it be when the hold ends', async () => {
    const box = new FakeBox({
      astra,
      channel: 'a001',
      ip: '192.0.2.50',
      ua: 'MAG254',
      query: (play) => `token=link-${play}`,
      returnsAfter: 200,
    });
    expect((await box.switchOn()).allowed).toBe(true);
    const first = box.sessionId;
    await eventually(async () => expect(await stateOf(first)).toBe('active'));
    const kicked = await api('POST', '/kicks', {
      session: { edge: 'astra-1', id: first },
      holdFor: '3s',
      reason: 'asked for by support',
    });
    expect(kicked).toMatchObject({ status: 200, body: { revoked: [{ edge: 'astra-1', session: first }] } });
    await eventually(() => box.plays.length === 2, { withinMs: 15_000 });
    expect(box.plays[1]).toMatchObject({ allowed: false, status: 403 });
    expect(astra.hasSession(first)).toBe(false);
    await eventually(async () => expect(await stateOf(first)).not.toBe('active'));
    await eventually(async () => expect((await box.switchOn()).allowed).toBe(true), {
      withinMs: 10_000,
      everyMs: 250,
    });
    await box.switchOff();
  });

  it('of a user is forgotten by all gateways, which refuse him and nobody else; the audit log knows who did it', async () => {
    // A portal that is asked again names the same user again.
    portal.byToken({ 'b-1': allow({ 'X-UserId': 'bob' }), 'c-1': allow({ 'X-UserId': 'carol' }) }, allow());
    const his = { sessionId: 'b-1', query: 'token=b-1', ip: '192.0.2.60' };
    for (const gateway of cluster.gateways) expect(await gateway.check(his)).toMatchObject({ status: 200 });
    const hers = { sessionId: 'c-1', query: 'token=c-1', ip: '192.0.2.61' };
    for (const gateway of cluster.gateways) expect(await gateway.check(hers)).toMatchObject({ status: 200 });
    await eventually(async () => expect(await stateOf('b-1')).toBe('active'));
    const kicked = await api('POST', '/kicks', {
      user: { namespace: 'portal', user: 'bob' },
      reason: 'shares his account',
    });
    expect(kicked.body.holds).toMatchObject([{ kind: 'user-viewer', origin: 'kick' }]);
    await eventually(async () => {
      const said = await Promise.all(cluster.gateways.map((gateway) => gateway.check(his)));
      expect(said.map(({ status, source }) => `${status} ${source}`)).toEqual(Array(3).fill('403 hold'));
    });
    for (const gateway of cluster.gateways) {
      expect(await gateway.check(hers)).toMatchObject({ status: 200, source: 'cache' });
    }
    const { body } = await api('GET', '/audit');
    expect(JSON.stringify(body)).toContain('shares his account');
  });

  it('of a session that there is not says so', async () => {
    const kicked = await api('POST', '/kicks', {
      session: { edge: 'astra-1', id: 'none' },
      reason: 'a slip',
    });
    expect(kicked).toMatchObject({ status: 200, body: { revoked: [], holds: [] } });
  });
});
