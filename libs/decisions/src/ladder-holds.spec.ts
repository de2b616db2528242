import type { BackendAnswer, Hold, HoldOrigin } from '#usher/domain';
import { HoldMemory } from '#usher/sessions';
import { allow, deny, ladderOf, sources, unavailable } from '../test/ladder-world.js';

function heldWorld(backend: Record<string, unknown> = {}, extra: Record<string, unknown> = {}) {
  const world = ladderOf(backend, extra);
  const hold = (part: Partial<Hold>): Hold => ({
    kind: 'address',
    subject: '192.0.2.7',
    effect: 'refuse',
    // No two changes are of one time.
    since: world.clock.now() + world.holds.version,
    until: world.clock.now() + 60_000,
    origin: 'hand',
    by: 'operator',
    reason: '',
    ...part,
  });
  const set = (where: 'before' | 'ofUser', part: Partial<Hold> = {}): void => {
    const set = hold(part);
    const running = (but?: ReadonlySet<HoldOrigin>): Hold | undefined =>
      set.until > world.clock.now() && but?.has(set.origin) !== true ? set : undefined;
    if (where === 'before') world.holds.before = (_, but) => running(but);
    else world.holds.ofUser = (_, user, _key, but) => (user === '' ? undefined : running(but));
    world.holds.version += 1;
  };
  const lift = (): void => {
    world.holds.before = () => undefined;
    world.holds.ofUser = () => undefined;
    world.holds.version += 1;
  };
  return { ...world, set, lift };
}

describe('a hold that refuses', () => {
  it('is looked at before anybody is asked, and opens nothing', async () => {
    const world = heldWorld();
    world.set('before');
    expect(await sources(world)).toBe('deny hold');
    expect(world.told.busQuestions).toHaveLength(0);
    expect(world.told.opened).toHaveLength(0);
  });

  it('takes back what was kept, and gives it again when it is lifted or over', async () => {
    const world = heldWorld();
    expect(await sources(world)).toBe('allow backend');
    world.set('before');
    expect(await sources(world)).toBe('deny hold');
    world.lift();
    expect(await sources(world)).toBe('allow cache');
    world.set('before');
    world.clock.advance(60_000);
    expect(await sources(world)).toBe('allow cache');
    expect(world.told.busQuestions).toHaveLength(1);
  });

  it('on a public channel counts too, and where no route matches', async () => {
    const open = heldWorld({}, { routes: [{ match: { channel: 'a*' }, access: 'public' }] });
    open.set('before');
    expect(await sources(open)).toBe('deny hold');
    const world = heldWorld();
    world.set('before');
    expect(world.ladder.unrouted(world.context()).decision).toMatchObject({ allow: false, source: 'hold' });
  });

  it('on a user takes back his kept sessions', async () => {
    const world = heldWorld();
    world.said.answer = allow({ user: 'anna' });
    await sources(world);
    world.set('ofUser');
    expect(await sources(world)).toBe('deny hold');
    world.lift();
    expect(await sources(world)).toBe('allow cache');
  });

  it('on a user refuses the answer of the backend, the shared one, and a session of another gateway', async () => {
    const world = heldWorld();
    world.set('ofUser');
    world.said.answer = allow({ user: 'anna' });
    expect(await sources(world)).toBe('deny hold');
    expect(await sources(world, { sessionId: '43' })).toBe('deny hold');
    expect(world.told.busQuestions).toHaveLength(1);
    const elsewhere = heldWorld();
    elsewhere.said.answer = allow({ user: 'anna' });
    await sources(elsewhere, { query: 'token=other' });
    await sources(elsewhere, { query: 'token=other', sessionId: '43' });
    const session = elsewhere.told.opened[0]!;
    const world2 = heldWorld();
    world2.said.found = { kind: 'same', session };
    world2.set('ofUser');
    expect(await sources(world2)).toBe('deny hold');
    expect(world2.told.opened).toHaveLength(0);
  });

  it('after an eviction refuses newcomers: an equal box of that user that was let in plays on', async () => {
    const world = heldWorld({ credential: 'reusable' });
    world.said.answer = allow({ user: 'anna', authDuration: 60 });
    await sources(world);
    const session = [...world.kept.sessions()][0]!;
    world.set('ofUser', { kind: 'user-viewer', origin: 'eviction', until: world.clock.now() + 900_000 });
    expect(await sources(world)).toBe('allow cache');
    world.clock.advance(61_000);
    expect(await sources(world)).toBe('allow backend');
    world.said.found = { kind: 'same', session: { ...session, sessionId: '44', authorizedUntil: 0 } };
    world.shared.clear();
    expect(await sources(world, { sessionId: '44' })).toBe('allow session');
    world.said.found = { kind: 'none' };
    expect(await sources(world, { sessionId: '45' })).toBe('deny hold');
    world.said.answer = unavailable('backend');
    world.clock.advance(61_000);
    expect(await sources(world)).toBe('allow stale');
    expect(await sources(world, { sessionId: '46', query: 'token=new' })).toBe('deny hold');
    // Whoever was evicted is revoked.
    world.kept.dropNamed('astra-1', '42');
    world.said.found = { kind: 'revoked', session: { ...session, state: 'revoked' } };
    world.said.answer = allow({ user: 'anna', authDuration: 60 });
    expect(await sources(world)).toBe('deny hold');
  });

  it('on a user counts in an outage: neither his old credential nor his device brings him back', async () => {
    const world = heldWorld({ failMode: 'stale' });
    world.set('ofUser');
    world.said.answer = unavailable('backend');
    world.said.known = { user: 'anna', sessionName: '', allowedAt: world.clock.now(), grants: new Map() };
    expect(await sources(world)).toBe('deny hold');
    expect(world.told.opened).toHaveLength(0);
  });

  it.each(['answered', 'unavailable', 'out of time', 'allowed elsewhere'])(
    'that comes while the check is under way counts: an edge that asks once asks no more (%s)',
    async (how) => {
      const world = heldWorld();
      if (how === 'allowed elsewhere') {
        await sources(world, { sessionId: '43' });
        await sources(world);
        const session = world.told.opened.pop()!;
        world.kept.drop('astra-1/42');
        world.shared.clear();
        world.registry.find = async () => {
          world.set('before');
          return { kind: 'same', session };
        };
        expect(await sources(world)).toBe('deny hold');
        return;
      }
      let answered: (answer: BackendAnswer) => void = () => undefined;
      world.said.answer = new Promise((resolve) => {
        answered = resolve;
      });
      const late = world.ladder.decide(world.context({}, how === 'out of time' ? 50 : 2_000));
      await new Promise(setImmediate);
      world.set('before');
      if (how !== 'out of time') answered(how === 'answered' ? allow() : unavailable('backend'));
      expect((await late).decision).toMatchObject({ allow: false, source: 'hold' });
      answered(allow());
      await new Promise(setImmediate);
      expect(world.told.opened).toHaveLength(0);
      world.lift();
      expect(world.kept.size).toBe(0);
    },
  );
});

describe('a hold that lets in', () => {
  it('asks nobody, is kept while it lasts, and opens the session once', async () => {
    const world = heldWorld();
    world.set('before', { effect: 'pass' });
    world.said.answer = deny();
    expect(await sources(world)).toBe('allow hold');
    expect(await sources(world)).toBe('allow hold');
    expect(world.told.opened).toMatchObject([{ source: 'hold', state: 'active', user: '' }]);
    expect(world.told.busQuestions).toHaveLength(0);
  });

  it.each(['lifted', 'over'])('is forgotten when it is %s: the backend is asked', async (how) => {
    const world = heldWorld();
    world.set('before', { effect: 'pass' });
    await sources(world);
    world.said.answer = deny();
    if (how === 'lifted') world.lift();
    else world.clock.advance(60_000);
    expect(await sources(world)).toBe('deny backend');
  });

  it('that is replaced by a refusal refuses', async () => {
    const world = heldWorld();
    world.set('before', { effect: 'pass' });
    await sources(world);
    world.set('before');
    expect(await sources(world)).toBe('deny hold');
  });

  it('overrules a denial that was kept', async () => {
    const world = heldWorld();
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
    world.set('before', { effect: 'pass' });
    expect(await sources(world)).toBe('allow hold');
  });

  it('on a user stands by a session of his that the backend denies now', async () => {
    const world = heldWorld({ credential: 'reusable' });
    world.said.answer = allow({ user: 'anna', authDuration: 10 });
    await sources(world);
    world.clock.advance(11_000);
    world.said.answer = deny();
    world.set('ofUser', { effect: 'pass' });
    expect(await sources(world)).toBe('allow hold');
    expect(await sources(world, { sessionId: '44', query: 'token=stranger' })).toBe('deny backend');
  });

  it.each(['away', 'empty'])(
    'takes nothing from a session that was allowed before it: its token is good once, and Redis is %s',
    async (how) => {
      const world = heldWorld({ type: 'ministra' });
      world.said.answer = allow({ user: 'anna' });
      await sources(world);
      world.set('before', { effect: 'pass' });
      expect(await sources(world)).toBe('allow hold');
      expect([...world.kept.sessions()]).toMatchObject([{ user: 'anna', source: 'backend' }]);
      world.said.answer = deny();
      world.said.found = how === 'away' ? new Error('away') : { kind: 'none' };
      world.clock.advance(60_000);
      expect(await sources(world)).toBe('allow session');
    },
  );

  it('on a user takes nothing from his session either', async () => {
    const world = heldWorld({ type: 'ministra' });
    world.said.answer = allow({ user: 'anna', authDuration: 10 });
    await sources(world);
    world.clock.advance(11_000);
    world.said.answer = deny();
    world.said.found = new Error('away');
    world.set('ofUser', { effect: 'pass' });
    expect(await sources(world)).toBe('allow hold');
    // Some other hold changed.
    world.holds.version += 1;
    expect(await sources(world)).toBe('allow hold');
  });
});

describe('a hold of the protection', () => {
  const origin = 'protection' as const;

  it.each(['address', 'network'] as const)(
    'on an %s refuses newcomers, not known viewers behind it',
    async (kind) => {
      const world = heldWorld();
      world.set('before', { origin, kind });
      expect(await sources(world)).toBe('deny hold');
      world.said.known = {
        user: 'anna',
        sessionName: '',
        allowedAt: world.clock.now(),
        grants: new Map(),
      };
      expect(await sources(world, { sessionId: '43', userAgent: 'MAG250' })).toBe('allow backend');
    },
  );

  it.each(['address', 'credential'] as const)('on a %s lets whoever plays play on', async (kind) => {
    const world = heldWorld();
    expect(await sources(world)).toBe('allow backend');
    world.set('before', { origin, kind });
    expect(await sources(world)).toBe('allow cache');
    expect(await sources(world, { sessionId: '43', query: 'token=other' })).toBe(
      kind === 'credential' ? 'deny hold' : 'allow backend',
    );
  });

  it('on a credential refuses known viewers too: it is theirs that is shared', async () => {
    const world = heldWorld();
    world.said.known = { user: 'anna' } as never;
    world.set('before', { origin, kind: 'credential' });
    expect(await sources(world)).toBe('deny hold');
  });

  it.each(['protection', 'eviction'] as const)(
    'of %s does not hide a wider one that an operator set',
    async (narrow) => {
      const world = heldWorld();
      const memory = new HoldMemory(world.clock);
      world.holds.before = (...facts) => memory.before(...facts);
      world.holds.ofUser = (...whose) => memory.ofUser(...whose);
      const running = {
        effect: 'refuse',
        since: 1,
        until: world.clock.now() + 60_000,
        by: '',
        reason: '',
      } as const;
      const hold = (kind: Hold['kind'], subject: string, origin: Hold['origin']): void => {
        memory.apply({ ...running, kind, subject, origin });
        world.holds.version += 1;
      };
      world.said.answer = allow({ user: 'anna' });
      expect(await sources(world)).toBe('allow backend');
      const { viewerKey } = world.told.opened[0] ?? [...world.kept.sessions()][0]!;
      if (narrow === 'protection') {
        hold('address', '192.0.2.7', narrow);
        expect(await sources(world)).toBe('allow cache');
        hold('channel', 'a001', 'hand');
      } else {
        hold('user-viewer', `portal/anna/${viewerKey}`, narrow);
        expect(await sources(world)).toBe('allow cache');
        hold('user', 'portal/anna', 'hand');
      }
      expect(await sources(world)).toBe('deny hold');
    },
  );

  it('on a user refuses his new sessions only', async () => {
    const world = heldWorld();
    world.said.answer = allow({ user: 'anna' });
    expect(await sources(world)).toBe('allow backend');
    world.set('ofUser', { origin, kind: 'user', subject: 'portal/anna' });
    expect(await sources(world)).toBe('allow cache');
    expect(await sources(world, { sessionId: '43' })).toBe('deny hold');
  });
});
