import { allow, deny, ladderOf, sources, unavailable, type World } from '../test/ladder-world.js';

/** As a gateway does it. */
function refresh({ kept, shared, known, backends }: World, user = 'anna'): void {
  shared.forget((answer) => answer.kind === 'deny' || answer.user === user);
  known.forget((_, name) => name === user);
  kept.refresh(
    (session) => session.user === user,
    (backend) => backends.get(backend)?.credential === 'reusable',
  );
}

describe('after a refresh of a user', () => {
  it('a denial is asked about again, though it was kept and shared', async () => {
    const world = ladderOf();
    world.said.answer = deny();
    const { kept } = await world.ladder.decide(world.context());
    expect(world.kept.isFresh(kept!)).toBe(true);
    expect(await sources(world)).toBe('deny cache');
    refresh(world);
    expect(world.kept.isFresh(kept!)).toBe(false);
    world.said.answer = allow({ user: 'anna' });
    expect(await sources(world)).toBe('allow backend');
  });

  it('no answer is shared that was asked for before it', async () => {
    const world = ladderOf();
    let answered: (answer: ReturnType<typeof deny>) => void = () => undefined;
    world.said.answer = new Promise((resolve) => {
      answered = resolve;
    });
    const first = sources(world);
    await new Promise(setImmediate);
    refresh(world);
    answered(deny());
    expect(await first).toBe('deny backend');
    world.said.answer = allow({ user: 'anna' });
    expect(await sources(world)).toBe('allow backend');
  });

  it('… nor by who came after it, and shared the question that was under way', async () => {
    const world = ladderOf();
    let answered: (answer: ReturnType<typeof deny>) => void = () => undefined;
    world.said.answer = new Promise((resolve) => {
      answered = resolve;
    });
    const first = sources(world);
    await new Promise(setImmediate);
    refresh(world);
    const second = world.ladder.decide(world.context({ sessionId: '43' }));
    await new Promise(setImmediate);
    answered(deny());
    expect(await first).toBe('deny backend');
    const { decision, kept } = await second;
    expect(decision.allow).toBe(false);
    expect(world.told.busQuestions).toHaveLength(1);
    expect(world.kept.isFresh(kept!)).toBe(false);
    world.said.answer = allow({ user: 'anna' });
    expect(await sources(world, { sessionId: '43' })).toBe('allow backend');
  });

  it('his session is asked about again where the credential may be used again: a denial ends it', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ user: 'anna' });
    await sources(world);
    refresh(world);
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
  });

  it('… an allow goes on, and is kept again', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ user: 'anna' });
    await sources(world);
    refresh(world);
    expect(await sources(world)).toBe('allow backend');
    expect(await sources(world)).toBe('allow cache');
    expect([...world.kept.sessions()]).toMatchObject([{ user: 'anna', state: 'active' }]);
  });

  it.each(['backend', 'us'] as const)(
    '… and it plays on where nobody can be asked, because of %s',
    async (because) => {
      const world = ladderOf({ credential: 'reusable', failMode: 'closed', overload: 'deny' });
      world.said.answer = allow({ user: 'anna' });
      await sources(world);
      refresh(world);
      world.said.answer = unavailable(because);
      expect(await sources(world)).toBe('allow stale');
    },
  );

  it('… while Redis is away too: what this gateway kept answers no longer', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ user: 'anna' });
    await sources(world);
    world.said.found = new Error('away');
    refresh(world);
    expect(await sources(world)).toBe('allow backend');
  });

  it('a session whose credential is good once keeps its allow, and its next one is asked about', async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = allow({ user: 'anna', authDuration: 36_000 });
    await sources(world);
    refresh(world);
    world.said.answer = deny();
    expect(await sources(world)).toBe('allow cache');
    expect(world.told.busQuestions).toHaveLength(1);
    expect(await sources(world, { sessionId: '43' })).toBe('deny backend');
  });

  it('his device is no longer known, and what stood in for him is dropped', async () => {
    const world = ladderOf({ failMode: 'stale' });
    world.said.answer = allow({ user: 'anna' });
    await sources(world);
    world.said.answer = unavailable('backend');
    const next = { sessionId: '43', query: 'token=new' };
    expect(await sources(world, next)).toBe('allow known');
    refresh(world);
    expect(await sources(world, next)).toBe('deny fail-closed');
  });

  it('others keep what they have, and nobody is asked about them', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ user: 'bob' });
    await sources(world);
    refresh(world);
    expect(await sources(world)).toBe('allow cache');
    expect(await sources(world, { sessionId: '43' })).toBe('allow cache');
    world.said.answer = unavailable('backend');
    expect(await sources(world, { sessionId: '44', query: 'token=new' })).toBe('allow known');
    expect(world.told.busQuestions).toHaveLength(2);
  });

  it('a pass of his that a person gave stands', async () => {
    const world = ladderOf({ credential: 'reusable' });
    const hold = {
      kind: 'address',
      subject: '192.0.2.7',
      effect: 'pass',
      since: 1,
      until: Infinity,
      origin: 'hand',
      by: '',
      reason: '',
    } as const;
    world.holds.before = () => hold;
    await sources(world);
    refresh(world, '');
    expect(await sources(world)).toBe('allow hold');
    expect(world.told.busQuestions).toHaveLength(0);
  });
});
