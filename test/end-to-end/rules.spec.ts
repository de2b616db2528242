import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { ALL_IN_ONE, startCluster, type UsherCluster } from '../support/cluster.js';

const SECRET = 'a secret of the channel';
const HOUR = 3_600;

/** As Astra makes it: docs/rules.md. */
function securetoken(channel: string, ip: string): string {
  const start = Math.floor(Date.now() / 1000) - 60;
  const [end, salt] = [start + HOUR, 'salt'];
  const digest = createHash('sha1').update(`${channel}${ip}${start}${end}${SECRET}${salt}`).digest('hex');
  return `${digest}-${salt}-${end}-${start}`;
}

describe('rules in front of a backend', () => {
  let folder: string;
  let portal: FakePortal;
  let cluster: UsherCluster;
  const asked = () => portal.requests.length;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'usher-rules-'));
    await writeFile(join(folder, 'addresses.txt'), '198.51.100.0/24\n');
    portal = await startFakePortal();
    const rules = { ip: { file: join(folder, 'addresses.txt') } };
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        backends: { portal: { type: 'http', url: `${portal.url}/check` } },
        routes: [
          { match: { channel: 'own' }, rules: { securetoken: { secrets: SECRET } } },
          { rules, backend: 'portal' },
        ],
      },
      ALL_IN_ONE,
    );
  });
  beforeEach(() => {
    portal.requests.length = 0;
    portal.byToken({}, (_, response) => response.writeHead(200).end());
  });
  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
    await rm(folder, { recursive: true });
  });

  const check = (ip: string, query: string, channel = 'a001') =>
    cluster.gateway.check({ ip, query, channel, sessionId: `${channel}-${ip}-${query.length}` });

  it('a listed address is refused, and the portal hears nothing of it', async () => {
    expect(await check('198.51.100.7', 'token=1')).toMatchObject({ status: 403, source: 'rule' });
    expect(asked()).toBe(0);
    expect((await check('192.0.2.7', 'token=1')).status).toBe(200);
    expect(asked()).toBe(1);
  });

  it('a list that changes counts for who plays already, and a list that is broken changes nothing', async () => {
    const viewer = () => check('203.0.113.5', 'token=2');
    expect((await viewer()).status).toBe(200);
    expect(await viewer()).toMatchObject({ status: 200, source: 'cache' });
    await writeFile(join(folder, 'addresses.txt'), '198.51.100.0/24\n203.0.113.0/24\n');
    await eventually(async () => expect((await viewer()).status).toBe(403), { withinMs: 20_000 });
    await writeFile(join(folder, 'addresses.txt'), 'no address at all\n');
    await eventually(() => expect(cluster.gateway.output()).toContain('addresses.txt'), { withinMs: 20_000 });
    expect((await viewer()).status).toBe(403);
    await writeFile(join(folder, 'addresses.txt'), '198.51.100.0/24\n');
    await eventually(async () => expect((await viewer()).status).toBe(200), { withinMs: 20_000 });
  });

  it('a channel of one’s own needs no backend: a good token plays, a forged one and none do not', async () => {
    const good = `token=${securetoken('own', '192.0.2.7')}`;
    expect(await check('192.0.2.7', good, 'own')).toMatchObject({ status: 200, source: 'rule' });
    for (const bad of [good.replace('token=', 'token=0'), `token=${securetoken('own', '192.0.2.8')}`, '']) {
      expect(await check('192.0.2.7', bad, 'own')).toMatchObject({ status: 403, source: 'rule' });
    }
    expect(asked()).toBe(0);
    expect(cluster.gateway.output()).not.toContain(good);
  });
});
