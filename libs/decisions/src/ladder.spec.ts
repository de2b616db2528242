import type { BackendAnswer } from '#usher/domain';
import { allow, deny, ladderOf, sources, unavailable, type World } from '../test/ladder-world.js';

describe('a healthy cluster', () => {
  it('asks the workers once, and answers the session from memory for hours without X-AuthDuration', async () => {
    const world = ladderOf();
    expect(await sources(world)).toBe('allow backend');
    world.clock.advance(8 * 3_600_000);
    expect(await sources(world)).toBe('allow cache');
    expect(world.told.busQuestions).toHaveLength(1);
  });

  it('asks again after 180 s, or somewhat sooner, where the edge names no session: its end could not be told', async () => {
    const world = ladderOf({ credential: 'reusable' });
    await sources(world, { sessionId: '' });
    world.clock.advance(161_000);
    expect(await sources(world, { sessionId: '' })).toBe('allow cache');
    world.clock.advance(20_000);
    expect(await sources(world, { sessionId: '' })).toBe('allow backend');
  });

  it('does not where its credential may be good for one question', async () => {
    const world = ladderOf();
    await sources(world, { sessionId: '' });
    world.clock.advance(181_000);
    expect(await sources(world, { sessionId: '' })).toBe('allow session');
    expect(world.told.busQuestions).toHaveLength(1);
  });

  it('shares an answer with another session, which is opened by itself', async () => {
    const world = ladderOf();
    await sources(world);
    expect(await sources(world, { sessionId: '43' })).toBe('allow cache');
    expect(world.told.busQuestions).toHaveLength(1);
    expect(world.told.opened.map(({ sessionId }) => sessionId)).toEqual(['43']);
  });

  it('never shares an answer of a one-shot credential for longer than answerTtl', async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = allow({ authDuration: 36_000 });
    await sources(world);
    world.clock.advance(31_000);
    world.said.answer = deny();
    expect(await sources(world, { sessionId: '43' })).toBe('deny backend');
    expect(await sources(world)).toBe('allow cache');
  });

  it('asks anew about another viewer under the same edge and session id', async () => {
    const world = ladderOf();
    await sources(world);
    world.said.answer = deny();
    expect(await sources(world, { query: 'token=stolen', ip: '198.51.100.9' })).toBe('deny backend');
  });

  it('puts one question for many that ask it at once', async () => {
    const world = ladderOf();
    let answer!: (value: BackendAnswer) => void;
    world.said.answer = new Promise((resolve) => (answer = resolve));
    const checks = Array.from({ length: 10 }, (_, i) => sources(world, { sessionId: `s${i}` }));
    await new Promise(setImmediate);
    answer(allow());
    expect(new Set(await Promise.all(checks))).toEqual(new Set(['allow backend']));
    expect(world.told.busQuestions).toHaveLength(1);
    expect(world.told.opened).toHaveLength(9);
  });

  it('knows a session that another gateway opened', async () => {
    const world = ladderOf();
    await sources(world);
    const other = ladderOf();
    other.said.found = { kind: 'same', session: [...world.kept.sessions()][0]! };
    expect(await sources(other)).toBe('allow session');
    expect(other.told.busQuestions).toHaveLength(0);
  });

  it('asks nobody about a public channel, and opens its session', async () => {
    const world = ladderOf(
      {},
      { routes: [{ match: { channel: 'promo-*' }, access: 'public' }, { backend: 'portal' }] },
    );
    expect(await sources(world, { channel: 'promo-1' })).toBe('allow rule');
    expect(world.told.opened).toHaveLength(1);
    expect(await sources(world, { channel: 'a001', sessionId: '43' })).toBe('allow backend');
  });
});

describe('the question of a session', () => {
  it('is remembered here where a worker keeps it, and where another gateway had it kept', async () => {
    const world = ladderOf();
    expect(await sources(world)).toBe('allow backend');
    expect(world.told.held.map(({ sessionId }) => sessionId)).toEqual(['42']);
    world.said.found = { kind: 'same', session: { ...world.told.held[0]!, sessionId: '43' } };
    expect(await sources(world, { sessionId: '43', query: 'token=456' })).toBe('allow session');
    expect(world.told.held.map(({ sessionId }) => sessionId)).toEqual(['42', '43']);
  });
});

describe('a session that was revoked', () => {
  const revoked = async (world: World) => {
    await sources(world);
    const session = world.told.opened[0] ?? [...world.kept.sessions()][0]!;
    return { kind: 'revoked', session: { ...session, state: 'revoked' } } as const;
  };

  it('is forgotten by a gateway that did not hear of it, also for when Redis is away or empty', async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.found = await revoked(world);
    world.gap();
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
    expect([...world.kept.sessions()]).toEqual([]);
    world.said.found = new Error('away');
    expect(await sources(world, { path: '/play/a001/other.m3u8' })).toBe('deny cache');
  });

  it('and closed since is forgotten likewise; one that was opened after that is not', async () => {
    const world = ladderOf({ type: 'ministra' });
    const { openedAt } = (await revoked(world)).session;
    world.said.answer = deny();
    world.said.found = { kind: 'none', revokedAt: openedAt - 1 };
    world.gap();
    expect(await sources(world)).toBe('allow session');
    world.said.found = { kind: 'none', revokedAt: openedAt };
    world.gap();
    expect(await sources(world)).toBe('deny backend');
    expect([...world.kept.sessions()]).toEqual([]);
  });

  it('while it was looked up is looked up again', async () => {
    const world = ladderOf({ type: 'ministra' });
    const found = await revoked(world);
    world.kept.drop('astra-1/42');
    world.shared.clear();
    world.registry.find = async () => {
      world.kept.dropNamed('astra-1', '42');
      return { kind: 'same', session: { ...found.session, state: 'active' } };
    };
    expect(await sources(world)).toBe('allow session');
    world.registry.find = async () => found;
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
  });

  it('in a gap of the control stream while it was looked up is looked up again', async () => {
    const world = ladderOf({ type: 'ministra' });
    const found = await revoked(world);
    world.kept.drop('astra-1/42');
    world.shared.clear();
    world.registry.find = async () => {
      world.gap();
      return { kind: 'same', session: { ...found.session, state: 'active' } };
    };
    expect(await sources(world)).toBe('allow session');
    world.registry.find = async () => found;
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
  });
});

describe('while a part is broken', () => {
  it.each(['not-taken', 'silent', 'bus-away'] as const)(
    'a question that is %s is put directly',
    async (kind) => {
      const world = ladderOf();
      world.said.asked = { kind };
      expect(await sources(world)).toBe('allow direct');
      expect(world.told.opened).toHaveLength(1);
    },
  );

  it('a bad token is denied with Redis dead', async () => {
    const world = ladderOf();
    Object.assign(world.said, { found: new Error('away'), asked: { kind: 'bus-away' }, direct: deny() });
    expect(await sources(world)).toBe('deny direct');
  });

  it.each([
    ['open', 'allow fail-open'],
    ['stale', 'deny fail-closed'],
    [{ stale: true, then: 'open' }, 'allow fail-open'],
    ['closed', 'deny fail-closed'],
  ])('nothing known, fail mode %p: %s', async (failMode, expected) => {
    const world = ladderOf({ failMode });
    world.said.answer = unavailable('backend');
    expect(await sources(world)).toBe(expected);
  });

  it.each([
    ['open', 'allow known'],
    ['stale', 'allow known'],
    ['closed', 'deny fail-closed'],
  ])('a known viewer with a new credential, fail mode %p: %s', async (failMode, expected) => {
    const world = ladderOf({ failMode });
    await sources(world);
    world.said.answer = unavailable('backend');
    expect(await sources(world, { query: 'token=new', sessionId: '43' })).toBe(expected);
  });

  it.each(['open', 'stale', 'closed'])('an allowed credential plays on, fail mode %s', async (failMode) => {
    const world = ladderOf({ failMode });
    await sources(world);
    world.clock.advance(60_000);
    world.said.answer = unavailable('backend');
    expect(await sources(world, { sessionId: '43' })).toBe('allow stale');
  });

  it('while a breaker is suspended nobody waits for the bus', async () => {
    const world = ladderOf();
    world.said.admission = { kind: 'outage', since: 0 };
    expect(await sources(world)).toBe('allow fail-open');
    expect(world.told.busQuestions).toHaveLength(0);
  });

  it('what stood in is kept for its own question, and asked about when the outage is over', async () => {
    const world = ladderOf();
    world.said.answer = unavailable('backend');
    expect(await sources(world)).toBe('allow fail-open');
    world.said.answer = deny();
    expect(await sources(world)).toBe('allow fail-open');
    world.kept.dropStandIns('portal');
    expect(await sources(world)).toBe('deny backend');
  });

  it.each([
    [undefined, 'open', 'allow overload'],
    [undefined, 'closed', 'deny overload'],
    ['deny', 'open', 'deny overload'],
  ])('our own overload %p with fail mode %s: %s', async (overload, failMode, expected) => {
    const world = ladderOf({ overload, failMode });
    world.said.answer = unavailable('us');
    expect(await sources(world)).toBe(expected);
  });

  it('a check is answered in time though nobody answers', async () => {
    const world = ladderOf({ timeout: '50ms' });
    world.said.answer = new Promise(() => undefined);
    const { decision } = await world.ladder.decide(world.context({}, 60));
    expect(decision).toMatchObject({ allow: true, source: 'overload', because: 'us' });
  });

  it('an answer that comes too late settles the session', async () => {
    const world = ladderOf();
    let answer!: (value: BackendAnswer) => void;
    world.said.answer = new Promise((resolve) => (answer = resolve));
    await world.ladder.decide(world.context({}, 60));
    answer(allow({ user: 'anna' }));
    await new Promise(setImmediate);
    expect(await sources(world)).toBe('allow cache');
    expect([...world.kept.sessions()][0]).toMatchObject({ user: 'anna', state: 'active' });
  });
});

describe('a session that was allowed', () => {
  it('is not cut by a one-shot token that is refused on a repeated question', async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = allow({ authDuration: 60 });
    await sources(world);
    world.clock.advance(61_000);
    world.said.answer = deny();
    expect(await sources(world)).toBe('allow session');
    expect(world.told.opened.at(-1)).toMatchObject({ state: 'unconfirmed' });
  });

  it('ends when a reusable credential is refused', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ authDuration: 60 });
    await sources(world);
    world.clock.advance(61_000);
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
  });

  it('is carried through an outage when its time is up, marked unconfirmed, and asked about afterwards', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ authDuration: 60, user: 'anna' });
    await sources(world);
    world.clock.advance(61_000);
    world.said.answer = unavailable('backend');
    expect(await sources(world)).toBe('allow stale');
    expect(world.told.opened.at(-1)).toMatchObject({ state: 'unconfirmed', user: 'anna', source: 'stale' });
    world.kept.dropStandIns('portal');
    world.said.found = { kind: 'same', session: world.told.opened.at(-1)! };
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
  });

  it.each(['open', { stale: true, then: 'open' }])(
    'or let in without an answer is asked about as soon as the backend can be (fail mode %p)',
    async (failMode) => {
      const world = ladderOf({ failMode });
      world.said.answer = unavailable('backend');
      await sources(world);
      world.kept.dropStandIns('portal');
      world.said.found = { kind: 'same', session: world.told.opened.at(-1)! };
      world.said.answer = deny();
      expect(await sources(world)).toBe('deny backend');
    },
  );

  it('is written back where the registry lost it, after a gap', async () => {
    const world = ladderOf();
    await sources(world);
    world.gap();
    expect(await sources(world)).toBe('allow session');
    expect(world.told.opened).toHaveLength(1);
    expect(world.told.busQuestions).toHaveLength(1);
  });

  it('stands after a gap while Redis is away', async () => {
    const world = ladderOf();
    await sources(world);
    world.gap();
    world.said.found = new Error('away');
    expect(await sources(world)).toBe('allow session');
    expect(world.told.busQuestions).toHaveLength(1);
  });
});
