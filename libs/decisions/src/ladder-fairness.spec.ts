import type { Check, Session } from '#usher/domain';
import { allow, deny, ladderOf, sources, unavailable, type World } from '../test/ladder-world.js';
import type { CheckContext } from './check-context.js';

const GROUP = {
  backends: {
    portal: { type: 'ministra', url: 'http://portal.example.com' },
    billing: { type: 'ministra', url: 'http://billing.example.com' },
  },
  groups: { both: { policy: 'any', backends: ['portal', 'billing'] } },
  routes: [{ group: 'both' }],
};
const groupDenial = (unlessKnownAt?: string[]) =>
  deny({ backend: 'both', reason: unlessKnownAt ? 'group-partial' : 'group-denied', unlessKnownAt });

/** The session that a gateway of the same cluster holds after its first allow. */
async function sessionOpenedElsewhere(answer = allow()): Promise<Session> {
  const other = ladderOf({ type: 'ministra' });
  other.said.answer = answer;
  await sources(other);
  return [...other.kept.sessions()][0]!;
}

const nobodyAnswers = (world: World): void => {
  world.said.answer = new Promise(() => undefined);
};

describe('a paying viewer', () => {
  it('keeps a session of another gateway though the same question was denied here a moment ago', async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = deny();
    expect(await sources(world, { sessionId: '43' })).toBe('deny backend');
    world.said.found = { kind: 'same', session: await sessionOpenedElsewhere() };
    expect(await sources(world)).toBe('allow session');
  });

  it('of a group is not cut by a one-shot token that all members refuse on a repeated question', async () => {
    const world = ladderOf({}, GROUP);
    world.said.answer = allow({ authDuration: 60 });
    await sources(world);
    world.clock.advance(61_000);
    world.said.answer = groupDenial();
    expect(await sources(world)).toBe('allow session');
  });

  it('whose session the silent member of a group allowed plays on, though his time is up and others deny', async () => {
    const reusable = { type: 'http', url: 'http://portal.example.com', credential: 'reusable' };
    const world = ladderOf({}, { ...GROUP, backends: { portal: reusable, billing: reusable } });
    const session = await sessionOpenedElsewhere(allow({ authDuration: 60 }));
    world.clock.advance(61_000);
    world.said.found = { kind: 'same', session };
    world.said.answer = groupDenial(['portal']);
    expect(await sources(world)).toBe('allow stale');
  });

  it('is asked about again at once where a member of his group could not be asked', async () => {
    const world = ladderOf({}, GROUP);
    world.said.answer = groupDenial(['portal']);
    const { decision, kept } = await world.ladder.decide(world.context());
    expect(decision).toMatchObject({ allow: false, reason: 'group-partial' });
    expect(kept).toBeUndefined();
    world.said.answer = groupDenial();
    expect((await world.ladder.decide(world.context())).kept).toBeDefined();
  });

  it('who is known here plays on when the time is up, whatever the overload policy', async () => {
    const world = ladderOf({ overload: 'deny' });
    await sources(world);
    nobodyAnswers(world);
    const late = world.context({ query: 'token=new', sessionId: '43' }, 60);
    expect((await world.ladder.decide(late)).decision).toMatchObject({ allow: true, source: 'known' });
    const repeated = world.context({ sessionId: '44', path: '/other' }, 60);
    expect((await world.ladder.decide(repeated)).decision).toMatchObject({ allow: true });
  });

  it('is carried for as long as the outage lasts, also where Redis is away and only his session is known', async () => {
    const world = ladderOf({ failMode: 'closed', credential: 'reusable' });
    world.said.answer = allow({ authDuration: 60 });
    await sources(world);
    world.said.found = new Error('away');
    world.said.answer = unavailable('backend');
    for (let minute = 0; minute < 5; minute += 1) {
      world.clock.advance(61_000);
      expect(await sources(world)).toBe('allow stale');
    }
  });

  it('whose time was up in an outage is not cut by his one-shot token after it, though Redis forgot his session', async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = allow({ authDuration: 60 });
    await sources(world);
    world.clock.advance(61_000);
    world.said.answer = unavailable('backend');
    // It would not have been asked about anyway.
    expect(await sources(world)).toBe('allow session');
    world.kept.dropStandIns('portal');
    world.said.answer = deny();
    expect(await sources(world)).toBe('allow cache');
    world.gap();
    expect(await sources(world)).toBe('allow session');
  });

  it('who shares a call asks once more where its first asker had no time left', async () => {
    const world = ladderOf({ failMode: 'closed' });
    let tooLate!: () => void;
    world.said.answer = new Promise((resolve) => {
      tooLate = () => resolve({ ...unavailable('us'), reason: 'deadline' });
    });
    const first = sources(world, { sessionId: 'first' });
    await new Promise(setImmediate);
    const second = sources(world, { sessionId: 'second' });
    await new Promise(setImmediate);
    world.said.answer = allow();
    tooLate();
    expect([await first, await second]).toEqual(['deny overload', 'allow backend']);
  });
});

describe('a question about a session that was allowed', () => {
  it('goes as nobody known: such come last in a ramp, and a dead one-shot token is no sign of a sick backend', async () => {
    const world = ladderOf({ type: 'ministra', credential: 'reusable' });
    world.said.answer = allow({ authDuration: 60 });
    await sources(world);
    world.clock.advance(61_000);
    await sources(world);
    await sources(world, { sessionId: '43', query: 'token=new' });
    expect(world.told.busQuestions.map(({ known }) => known)).toEqual([false, false, true]);
  });
});

describe('an edge in a hurry, which waits for less time than the backend is given,', () => {
  /** As Envoy: it would let nobody in by itself, so an overload of ours does not either. */
  const inHurry = (world: World, part: Partial<Check> = {}) => ({
    ...world.context(part, 60),
    opensWhenAlone: false,
  });
  const answered = async (world: World, context: CheckContext): Promise<string> => {
    const { decision } = await world.ladder.decide(context);
    return `${decision.allow ? 'allow' : 'deny'} ${decision.source} ${decision.because}`;
  };

  it('is asked for too: little of a short deadline is kept back', async () => {
    const world = ladderOf();
    await world.ladder.decide(world.context({}, 50));
    expect(world.told.busQuestions[0]!.deadline - world.clock.now()).toBeGreaterThan(25);
  });

  it.each([
    ['open', 'allow fail-open backend'],
    ['closed', 'deny fail-closed backend'],
  ])('gets what the fail mode says where the backend is not done by then: %s', async (failMode, expected) => {
    const world = ladderOf({ failMode });
    nobodyAnswers(world);
    expect(await answered(world, inHurry(world))).toBe(expected);
  });

  it.each([
    ['open', 'allow fail-open backend'],
    ['closed', 'deny fail-closed backend'],
  ])(
    'gets the same where a worker that has the question says nothing by then: %s',
    async (failMode, expected) => {
      const world = ladderOf({ failMode });
      const context = inHurry(world);
      world.said.asked = { kind: 'silent' };
      world.told.asks = () => world.clock.advance(60);
      expect(await answered(world, context)).toBe(expected);
      expect(world.told.directQuestions).toEqual([]);
    },
  );

  it('gets the overload policy where nobody can be asked because of us', async () => {
    const world = ladderOf();
    world.said.asked = { kind: 'full' };
    expect(await answered(world, inHurry(world))).toBe('deny overload us');
  });

  it.each([
    [{}, 'allow overload us'],
    [{ failMode: 'closed' }, 'deny overload us'],
    [{ overload: 'deny' }, 'deny overload us'],
  ])(
    'gets what the fail mode says where we took the time, unless told otherwise: %j',
    async (backend, expected) => {
      const world = ladderOf(backend);
      world.said.answer = { ...unavailable('us'), reason: 'deadline' };
      expect(await answered(world, inHurry(world))).toBe(expected);
    },
  );

  it('spoils nobody’s answer who has the same question and waits longer', async () => {
    const world = ladderOf({ failMode: 'closed' });
    nobodyAnswers(world);
    const hurried = answered(world, inHurry(world, { sessionId: 'hurried' }));
    await new Promise(setImmediate);
    world.said.answer = allow();
    expect(await sources(world, { sessionId: 'patient' })).toBe('allow backend');
    // And has his own from what that one learnt.
    expect(await hurried).toBe('allow stale backend');
  });

  it.each([
    ['per-request', 0, 'deny session undefined'],
    ['per-request', 20_000, 'allow backend undefined'],
    ['once', 0, 'allow backend undefined'],
  ] as const)(
    'and asks %s hears %p ms after a denial that came too late: %s',
    async (habit, later, expected) => {
      const world = ladderOf();
      const context = { ...inHurry(world), habit };
      world.said.found = { kind: 'none', revokedAt: world.clock.now() };
      world.clock.advance(later);
      expect(await answered(world, { ...context, deadline: world.clock.monotonic() + 60 })).toBe(expected);
    },
  );

  it('who waits as long as the backend is given knows that it was not the backend', async () => {
    const world = ladderOf({ timeout: '50ms' });
    nobodyAnswers(world);
    expect(await answered(world, inHurry(world))).toBe('deny overload us');
  });
});

describe('a session that lives longer than it is taken for alive without a sign', () => {
  it('is written back alive where the registry lost it', async () => {
    const world = ladderOf();
    await sources(world);
    world.clock.advance(5 * 3_600_000);
    world.gap();
    expect(await sources(world)).toBe('allow session');
    expect(world.told.opened.at(-1)!.aliveUntil).toBeGreaterThan(world.clock.now());
  });

  it('is marked unconfirmed alive', async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ authDuration: 36_000 });
    await sources(world);
    world.clock.advance(11 * 3_600_000);
    world.said.answer = unavailable('backend');
    expect(await sources(world)).toBe('allow stale');
    expect(world.told.opened.at(-1)!.aliveUntil).toBeGreaterThan(world.clock.now());
  });
});

describe('nobody plays on what nobody decided', () => {
  it('a session of a channel that was public is asked about once it is not', async () => {
    const open = ladderOf({}, { routes: [{ access: 'public' }] });
    await sources(open);
    const world = ladderOf();
    world.said.found = { kind: 'same', session: open.told.opened[0]! };
    world.said.answer = deny();
    expect(await sources(world)).toBe('deny backend');
  });

  it('an empty credential parameter makes no two viewers of an address one', () => {
    const { context } = ladderOf({ credentialParameter: 'token' });
    const fingerprint = (query: string) => context({ query }).identity.fingerprint;
    expect(fingerprint('token=&auth=anna:1')).not.toBe(fingerprint('token=&auth=max:2'));
    expect(fingerprint('token=1&t=5')).toBe(fingerprint('token=1&t=6'));
  });
});
