import { eventually, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { told } from '../support/deadline.js';
import { ministra } from '../support/middlewares.js';
import { get, type AstraCheck } from '../support/usher-process.js';

const MODES = ['open', 'stale-open', 'stale', 'closed'] as const;
type Mode = (typeof MODES)[number];

/** The README's table: credential allowed before, known viewer with a new token, nobody knows. */
const TABLE: Record<Mode, readonly [string, string, string]> = {
  open: ['200 stale', '200 known', '200 fail-open'],
  'stale-open': ['200 stale', '200 known', '200 fail-open'],
  stale: ['200 stale', '200 known', '403 fail-closed'],
  closed: ['200 stale', '403 fail-closed', '403 fail-closed'],
};

const TIMEOUT = 500;

describe('while the portal', () => {
  const tokens = new Map(MODES.map((mode) => [`of-${mode}`, mode]));
  let portal: FakePortal;
  let cluster: UsherCluster;
  let count = 0;

  beforeAll(async () => {
    portal = await startFakePortal();
    portal.behave(ministra(tokens));
    cluster = await startCluster(
      {
        edges: { 'astra-1': {} },
        // Each question is asked: what is shared between sessions is the subject of other tests.
        gateway: { answerTtl: { allow: '1ms', deny: '1ms' } },
        backends: {
          portal: {
            type: 'ministra',
            url: `${portal.url}/stalker_portal`,
            timeout: `${TIMEOUT}ms`,
            device: 'mac',
            breaker: { consecutive: 1000, minCalls: 1000 },
          },
        },
        routes: [
          { match: { channel: 'stale-open' }, backend: 'portal', failMode: { stale: true, then: 'open' } },
          { match: { channel: 'stale' }, backend: 'portal', failMode: 'stale' },
          { match: { channel: 'closed' }, backend: 'portal', failMode: 'closed' },
          { backend: 'portal' },
        ],
      },
      { gateways: 2, workers: 2 },
    );
    // One gateway learns the viewers; Redis tells the other.
    for (const mode of MODES) {
      await eventually(async () => expect(await ask(0, mode, `of-${mode}`, mode)).toBe('200 asked'));
    }
  });

  beforeEach(() => portal.behave(ministra(tokens)));
  let isDown = false;
  afterEach(async () => {
    if (isDown) await portal.up();
    isDown = false;
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** A session of its own each time: no session's record answers. */
  const ask = async (gateway: number, mode: Mode, token: string, mac: string): Promise<string> => {
    count += 1;
    const check: AstraCheck = { sessionId: `f${count}`, channel: mode, query: `token=${token}&mac=${mac}` };
    return told(await cluster.gateways[gateway]!.check(check));
  };
  const answers = async (gateway: number, mode: Mode): Promise<string[]> => {
    count += 1;
    return Promise.all([
      ask(gateway, mode, `of-${mode}`, mode),
      ask(gateway, mode, `new-${count}`, mode),
      ask(gateway, mode, `new-${count}`, `new-${count}`),
    ]);
  };

  const FAULTS: [string, () => void | Promise<void>][] = [
    [
      'is down',
      async () => {
        isDown = true;
        await portal.down();
      },
    ],
    ['hangs', () => portal.hang()],
    ['is slower than its timeout', () => portal.slow(3 * TIMEOUT, ministra(tokens))],
    ['answers 500', () => portal.status(500)],
    ['answers an error page with 200', () => portal.garbage('page')],
    ['answers what is no HTTP', () => portal.garbage('bytes')],
    ['answers by halves', () => portal.garbage('truncated')],
    ['resets connections', () => portal.reset()],
    ['sends headers without an end', () => portal.endlessHeaders()],
    ['sends 404 for its script', () => portal.status(404)],
  ];

  describe.each(FAULTS)('%s', (_, begin) => {
    it.each(MODES)('failMode %s answers as the table says, through each gateway', async (mode) => {
      await begin();
      expect(await answers(0, mode)).toEqual(TABLE[mode]);
      expect(await answers(1, mode)).toEqual(TABLE[mode]);
    });
  });

  it('denies everybody, denials are passed on: nobody is let in on trust, and who plays goes on', async () => {
    const viewer = { sessionId: 'plays', channel: 'open', query: 'token=of-open&mac=open' };
    expect(told(await cluster.gateway.check(viewer))).toBe('200 asked');
    portal.deny();
    for (const mode of MODES) {
      expect(await answers(1, mode)).toEqual(Array(3).fill('403 asked'));
    }
    expect(told(await cluster.gateway.check(viewer))).toBe('200 cache');
  });

  it('is slow, but within its timeout, it has the word', async () => {
    portal.slow(TIMEOUT / 10, ministra(tokens));
    for (const mode of MODES) {
      expect(await answers(0, mode)).toEqual(['200 asked', '403 asked', '403 asked']);
    }
  });

  it('fails, who asks by hand is told that nobody was asked', async () => {
    portal.status(500);
    const { body, status } = await get(cluster.gateway.port, '/e/astra-1/check?token=by-hand');
    expect(status).toBe(200);
    expect(body).toContain('reason: on-trust\nsource: fail-open\nbackend: portal\n');
  });

  it('asks for fewer questions, the overload policy answers whom nobody knows: it is no outage', async () => {
    portal.status(429);
    expect(await answers(0, 'open')).toEqual(['200 stale', '200 known', '200 overload']);
    portal.status(503, { 'Retry-After': '1' });
    expect(await ask(1, 'closed', 'new', 'new')).toBe('403 overload');
  });
});
