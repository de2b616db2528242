import { configSchema } from '#usher/config';
import { NO_HOLDS } from '#usher/domain';
import type {
  AllowAnswer,
  Check,
  HeldFacts,
  Holds,
  KnownGrant,
  KnownViewers,
  Log,
  Session,
  SessionRegistry,
} from '#usher/domain';
import { eventually, ManualClock } from '#usher/testing';
import { patientKnownViewers, patientRegistry } from './patient-writes.js';
import { settlement } from './settlement.js';

const config = configSchema.parse({
  backends: { portal: { type: 'http', url: 'http://portal.example.com/' } },
});
const check: Check = {
  id: 'c1',
  dialect: 'astra',
  edge: 'astra-1',
  sessionId: '42',
  sessionGiven: true,
  channel: 'a001',
  ip: '192.0.2.7',
  path: '/play/a001/index.m3u8',
  userAgent: 'VLC/3',
  host: 'live.example.com',
  origin: '',
  query: 'token=123',
};
const identity = { fingerprint: 'f'.repeat(26), viewerKey: 'v'.repeat(26) };
const allow: AllowAnswer = {
  kind: 'allow',
  backend: 'portal',
  reason: 'backend-allowed',
  status: 200,
  tookMs: 5,
};

/** A Redis that is too slow for so many writes of each kind. */
function settlementWhere(tooSlowFor: number, holds: Holds = NO_HOLDS) {
  const opened: Session[] = [];
  const grants: KnownGrant[] = [];
  const renewed: string[] = [];
  const said: string[] = [];
  const written: string[] = [];
  const tried = { open: 0, remember: 0 };
  const attempt = async (kind: keyof typeof tried, what: string): Promise<void> => {
    tried[kind] += 1;
    if (tried[kind] <= tooSlowFor) throw new Error('no reply within 30 ms');
    written.push(what);
  };
  const registry: SessionRegistry = {
    find: () => Promise.resolve({ kind: 'none' }),
    open: (session: Session) => {
      opened.push(session);
      return attempt('open', `session ${session.edge}/${session.sessionId}`);
    },
  };
  const known: KnownViewers = {
    find: () => Promise.resolve(undefined),
    remember: (backend, _viewerKey, _fingerprint, grant) => {
      grants.push(grant);
      return attempt('remember', `known at ${backend}`);
    },
  };
  const note = (_: object, message: string): number => said.push(message);
  const log = { trace: note, debug: note, info: note, warn: note, error: note } as unknown as Log;
  const clock = new ManualClock();
  const settle = settlement({
    config,
    clock,
    log,
    registry: patientRegistry(registry, [1, 1]),
    known: patientKnownViewers(known, [1, 1]),
    holds,
    renewals: { keep: ({ sessionId }) => void renewed.push(sessionId) },
  });
  return { settle, clock, written, tried, said, opened, grants, renewed };
}

describe('what an allow means', () => {
  it('is left to the gateway where the dialect is one of a later version', () => {
    const { settle, tried } = settlementWhere(0);
    settle({ ...check, dialect: 'hologram' as Check['dialect'] }, identity, allow);
    expect(tried).toEqual({ open: 0, remember: 0 });
  });

  it('is nothing where it was said to a canary', () => {
    const { settle, tried } = settlementWhere(0);
    settle(check, identity, allow, { canary: true });
    expect(tried).toEqual({ open: 0, remember: 0 });
    settle(check, identity, allow);
    expect(tried).toEqual({ open: 1, remember: 1 });
  });

  it.each([0, 1, 2])('is written down, though Redis is too slow for it %d times', async (times) => {
    const { settle, written, said } = settlementWhere(times);
    settle(check, identity, allow);
    await eventually(() => written.length === 2);
    expect([...written].sort()).toEqual(['known at portal', 'session astra-1/42']);
    expect(said).toEqual([]);
  });

  it('is left to the gateway that holds it where Redis stays away', async () => {
    const { settle, written, tried, said } = settlementWhere(Infinity);
    settle(check, identity, allow);
    await eventually(() => said.length === 2);
    expect(tried).toEqual({ open: 3, remember: 3 });
    expect(written).toEqual([]);
  });

  it('opens no session for a user that a hold refuses, though the viewer is known; an observed one plays', async () => {
    const refused = { kind: 'user', subject: 'portal/anna', effect: 'refuse' } as const;
    const hold = { ...refused, since: 0, until: 9e15, origin: 'hand', by: 'op', reason: '' } as const;
    const holds = { ...NO_HOLDS, ofUser: (_: string, user: string) => (user === 'anna' ? hold : undefined) };
    const { settle, written } = settlementWhere(0, holds);
    settle(check, identity, { ...allow, user: 'anna' });
    await eventually(() => written.length === 1);
    expect(written).toEqual(['known at portal']);
    settle(check, identity, { ...allow, user: 'anna' }, { unguarded: true });
    await eventually(() => written.length === 3);
    expect(written).toContain('session astra-1/42');
  });

  it('without X-AuthDuration is asked about up to a tenth sooner than its credential counts while nobody can be asked', () => {
    const { settle, clock, opened, grants } = settlementWhere(0);
    const shortest = { ...identity, fingerprint: '7'.repeat(26) };
    settle({ ...check, dialect: 'flussonic' }, shortest, allow);
    settle({ ...check, dialect: 'flussonic' }, shortest, { ...allow, authDuration: 180 });
    const [asked, granted] = opened.map(({ authorizedUntil }) => authorizedUntil - clock.now());
    expect(asked).toBeGreaterThanOrEqual(162_000);
    expect(asked).toBeLessThan(162_010);
    expect(granted).toBe(180_000);
    expect(grants.map(({ authorizedUntil }) => authorizedUntil - clock.now())).toEqual([180_000, 180_000]);
  });

  it('renewed in the background is the same session, and no sign of its life', () => {
    const { settle, opened, renewed } = settlementWhere(0);
    const renews = { openedAt: 1_000, aliveUntil: 2_000 };
    settle(check, identity, { ...allow, authDuration: 60 }, { renews });
    expect(opened).toMatchObject([renews]);
    expect(renewed).toEqual(['42']);
  });

  it('that is only observed is not asked about again: a denial would cut whom nobody else would have cut', () => {
    const { settle, opened, renewed } = settlementWhere(0);
    settle(check, identity, { ...allow, authDuration: 60 }, { unguarded: true });
    expect(opened).toHaveLength(1);
    expect(renewed).toEqual([]);
  });

  it.each(['viewer', 'address', 'channel'] as const)(
    'opens no session where a hold on its %s came while it was asked about',
    async (kind) => {
      const hold = {
        kind,
        subject: 'x',
        since: 0,
        until: 9e15,
        origin: 'kick',
        by: 'op',
        reason: '',
      } as const;
      let effect: 'refuse' | 'pass' = 'refuse';
      const seen: HeldFacts[] = [];
      const before = (facts: HeldFacts) => {
        seen.push(facts);
        return { ...hold, effect };
      };
      const { settle, written, opened } = settlementWhere(0, { ...NO_HOLDS, before });
      settle(check, identity, allow);
      await eventually(() => written.length === 1);
      expect(written).toEqual(['known at portal']);
      const { ip, channel, userAgent, query } = check;
      const { viewerKey } = identity;
      expect(seen[0]).toEqual({ ip, channel, userAgent, viewerKey, credential: query });
      effect = 'pass';
      settle(check, identity, allow);
      expect(opened).toHaveLength(1);
    },
  );

  it('is nothing where it is no allow', () => {
    const { settle, tried } = settlementWhere(0);
    settle(check, identity, {
      kind: 'deny',
      backend: 'portal',
      reason: 'backend-denied',
      status: 403,
      tookMs: 5,
    });
    expect(tried).toEqual({ open: 0, remember: 0 });
  });
});
