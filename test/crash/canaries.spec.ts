import { eventually, portalBehaviours, startFakePortal, type FakePortal } from '#usher/testing';
import { startCluster, type UsherCluster } from '../support/cluster.js';
import { everythingIn } from '../support/redis-dump.js';
import { startUsher, type UsherConfig } from '../support/usher-process.js';

const SHARDS = Array.from({ length: 16 }, (_, shard) => String(shard).padStart(2, '0'));
/** A round comes within 1.2 s, and control looks each second who is due. */
const SOON = { withinMs: 20_000, everyMs: 50 };

/** A middleware in trouble that answers cleanly, and lets everybody in. */
describe('a backend with canaries that lets everybody in', () => {
  let portal: FakePortal;
  let cluster: UsherCluster;
  let shared: UsherConfig;

  beforeAll(async () => {
    portal = await startFakePortal();
    tellsApart();
    const config = {
      backends: {
        portal: {
          type: 'http',
          url: `${portal.url}/check`,
          failMode: 'closed',
          guard: { policy: 'treat-as-failed' },
          canaries: {
            every: '1s',
            allow: { query: 'token=canary-of-ours', ip: '203.0.113.1' },
            deny: { query: 'token=nobodys-canary', ip: '203.0.113.2' },
          },
          breaker: { openFor: '1s', rampStep: '1s' },
        },
      },
    };
    cluster = await startCluster(config, { all: 1, gateways: 1, controls: 1 });
    shared = { ...config, redis: { url: cluster.redis.url, timeout: '250ms' } };
  });

  afterAll(async () => {
    await cluster?.stop();
    await portal?.stop();
  });

  /** Tokens that begin with "good" are, and so is the operator's own. */
  function tellsApart(): void {
    portal.byToken(({ url = '' }) =>
      /token=(good|canary-of-ours)/.test(url)
        ? portalBehaviours.allow({ 'X-UserId': /token=(good[^&]*)/.exec(url)?.[1] ?? 'our-own-box' })
        : portalBehaviours.deny(),
    );
  }

  let fresh = 0;
  /** What each gateway says to a viewer of whom nothing is known. */
  const strangers = async (kind: 'good' | 'bad'): Promise<string[]> => {
    fresh += 1;
    const id = `${kind}-${fresh}`;
    const check = { sessionId: id, query: `token=${id}`, ip: `198.51.100.${fresh % 250}` };
    const replies = await Promise.all(cluster.gateways.map((gateway) => gateway.check(check)));
    return replies.map(
      ({ status, source }) => `${status} ${source.replace(/^(direct|cache|session)$/, 'backend')}`,
    );
  };
  const both = (said: string): string[] => [said, said];
  const canaries = (token: string): number => portal.requests.filter(({ url }) => url.includes(token)).length;
  const events = async (): Promise<string> =>
    (
      await Promise.all(
        SHARDS.map((shard) => cluster.redis.cli('XRANGE', `usher:events:{${shard}}`, '-', '+')),
      )
    ).join('\n');
  const countOf = (text: string, word: string): number => text.split(word).length - 1;

  it('gives new viewers the fail mode after two rounds, and what is known plays on', async () => {
    await eventually(() => canaries('nobodys-canary') >= 1 && canaries('canary-of-ours') >= 1, SOON);
    const mine = { sessionId: 'mine', query: 'token=good-mine' };
    for (const gateway of cluster.gateways) expect((await gateway.check(mine)).status).toBe(200);
    expect(await strangers('bad')).toEqual(both('403 backend'));
    portal.allow({ 'X-UserId': 'anybody' });
    const before = canaries('nobodys-canary');
    await eventually(async () => expect(await strangers('bad')).toEqual(both('403 fail-closed')), SOON);
    // Two rounds, and those that came while the viewers were asking.
    expect(canaries('nobodys-canary') - before).toBeGreaterThanOrEqual(2);
    expect((await cluster.gateway.check(mine)).status).toBe(200);
    const { body } = await cluster.gateway.health('/metrics');
    expect(body).toMatch(/^usher_backend_suspicious\{.*backend="portal".*\} 1$/m);
    expect(cluster.gateway.output()).toContain('backend.suspicious: portal allows its must-deny canary');
    await eventually(async () => expect(countOf(await events(), 'backend.suspicious')).toBe(1));
    // Its answers are failures, and so it is suspended; only its canaries are still sent.
    await eventually(async () => {
      expect(await strangers('bad')).toEqual(both('403 fail-closed'));
      expect(await cluster.gateway.problems()).not.toEqual([]);
    }, SOON);
    const sent = canaries('nobodys-canary');
    await eventually(() => canaries('nobodys-canary') > sent, SOON);
  });

  it('is known to be so by a gateway that starts then', async () => {
    const gateway = await startUsher('gateway', shared);
    const reply = await gateway.check({ sessionId: 'late', query: 'token=bad-late', ip: '198.51.100.251' });
    expect(`${reply.status} ${reply.source}`).toBe('403 fail-closed');
    await gateway.end('SIGKILL');
  });

  it('is believed again when its canaries are right twice, though a control is killed meanwhile', async () => {
    await cluster.controls[1]!.end('SIGKILL');
    tellsApart();
    await eventually(
      async () => expect(countOf(await events(), 'backend.trusted-again')).toBe(1),
      // The dead control's lease runs out first.
      { withinMs: 40_000 },
    );
    await eventually(async () => {
      const replies = await Promise.all(
        cluster.gateways.map((gateway) =>
          gateway.check({
            sessionId: `g-${(fresh += 1)}`,
            query: `token=good-${fresh}`,
            ip: '198.51.100.252',
          }),
        ),
      );
      expect(replies.map(({ status }) => status)).toEqual([200, 200]);
      expect(replies.every(({ source }) => /backend|direct/.test(source))).toBe(true);
    }, SOON);
  });

  it('has never taken a canary for a viewer, nor shown its token', async () => {
    const all = await everythingIn(cluster.redis);
    expect(all).toContain('usher:canary:{portal}');
    expect(all).not.toMatch(/canary-of-ours|nobodys-canary|203\.0\.113\.|canary-(allow|deny)/);
    expect(await cluster.redis.cli('KEYS', 'usher:*')).not.toMatch(
      /our-own-box|astra-1:canary|usher:canary-/,
    );
    const output = cluster.output();
    expect(output).not.toMatch(/canary-of-ours|nobodys-canary/);
  });
});
