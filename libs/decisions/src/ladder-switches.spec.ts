import type { FailMode, SwitchMode } from '#usher/domain';
import { allow, deny, ladderOf, sources, type World } from '../test/ladder-world.js';
import { StandIn } from './stand-in.js';
import { switchedAnswer, underSwitch } from './switched.js';

const GROUP = {
  backends: {
    portal: { type: 'http', url: 'http://portal.example.com', failMode: 'closed' },
    billing: { type: 'http', url: 'http://billing.example.com' },
  },
  groups: { both: { backends: ['portal', 'billing'] } },
  routes: [{ group: 'both' }],
};
const ROUTES = {
  routes: [
    { name: 'sports', match: { channel: 's*' }, backend: 'portal' },
    { match: {}, backend: 'portal' },
  ],
};

function flip(
  { switched, clock }: World,
  mode: SwitchMode,
  kind: 'backend' | 'route' = 'backend',
  name = 'portal',
) {
  const times = { since: clock.now(), until: clock.now() + 3_600_000 };
  switched.set(`${kind}:${name}`, { kind, name, mode, ...times, by: 'anna', reason: '' });
}

describe('a backend that is switched', () => {
  it.each<[SwitchMode, FailMode['kind'], string]>([
    ['maintenance', 'open', 'allow fail-open'],
    ['maintenance', 'stale', 'deny fail-closed'],
    ['maintenance', 'closed', 'deny fail-closed'],
    ['open', 'closed', 'allow fail-open'],
    ['stale', 'open', 'deny fail-closed'],
    ['closed', 'open', 'deny fail-closed'],
  ])(
    'to %s, fail mode %s: a viewer of whom nothing is known: %s, and nobody is asked',
    async (mode, failMode, said) => {
      const world = ladderOf({ failMode });
      flip(world, mode);
      world.said.admission = { kind: 'outage', since: 0 };
      expect(await sources(world)).toBe(said);
      const { decision, answer } = await world.ladder.decide(world.context({ sessionId: '43' }));
      expect(decision).toMatchObject({ because: 'backend', backend: 'portal', switched: true });
      expect(answer).toMatchObject({ reason: 'backend-switched', because: 'backend' });
      expect([...world.told.busQuestions, ...world.told.directQuestions]).toEqual([]);
    },
  );

  it.each<[SwitchMode, string]>([
    ['maintenance', 'allow known'],
    ['open', 'allow known'],
    ['stale', 'allow known'],
    ['closed', 'deny fail-closed'],
  ])('to %s: a known viewer with a new credential: %s', async (mode, said) => {
    const world = ladderOf();
    await sources(world);
    flip(world, mode);
    expect(await sources(world, { query: 'token=new', sessionId: '43' })).toBe(said);
  });

  it.each<SwitchMode>(['maintenance', 'open', 'stale', 'closed'])(
    'to %s cuts nobody whom it allowed, though his time is up meanwhile, and asks about him afterwards',
    async (mode) => {
      const world = ladderOf({ credential: 'reusable' });
      world.said.answer = allow({ authDuration: 60 });
      await sources(world);
      flip(world, mode);
      expect(await sources(world)).toBe('allow cache');
      world.clock.advance(61_000);
      expect(await sources(world)).toBe('allow stale');
      expect(world.told.busQuestions).toHaveLength(1);
      world.switched.clear();
      world.kept.dropStandIns('portal');
      world.said.answer = deny();
      expect(await sources(world)).toBe('deny backend');
    },
  );

  it('is asked again as soon as the switch is gone, and whoever was let in on trust is asked about', async () => {
    const world = ladderOf();
    flip(world, 'open');
    expect(await sources(world)).toBe('allow fail-open');
    world.switched.clear();
    world.said.answer = deny();
    world.kept.dropStandIns('portal');
    expect(await sources(world)).toBe('deny backend');
  });

  it('is asked in mode observe, which changes nothing', async () => {
    const world = ladderOf();
    flip(world, 'closed');
    const { answer } = await world.asker.askUnguarded(world.context(), 'portal');
    expect(answer.kind).toBe('allow');
  });
});

it('forced to let in is stronger than an end of trust, which counts in maintenance', () => {
  const { clock, known, context } = ladderOf();
  const standIn = new StandIn(clock, known, { trustEnded: () => 'maxOutage' });
  const decide = (mode: SwitchMode) => {
    const times = { since: 0, until: 1, by: '', reason: '' };
    const one = { kind: 'backend', name: 'portal', mode, ...times } as const;
    return standIn.decideNow(underSwitch(context(), one), switchedAnswer('portal', one)).allow;
  };
  expect([decide('open'), decide('maintenance')]).toEqual([true, false]);
});

describe('a group of which a member is switched', () => {
  it('is asked without it', async () => {
    const world = ladderOf({}, GROUP);
    flip(world, 'closed', 'backend', 'billing');
    expect(await sources(world)).toBe('allow backend');
    expect(world.told.busQuestions).toMatchObject([{ target: 'both', skip: ['billing'] }]);
  });

  it('is in an outage when the rest of it is suspended', async () => {
    const world = ladderOf({}, GROUP);
    flip(world, 'open', 'backend', 'billing');
    world.said.admission = { kind: 'outage', since: 0 };
    const { answer, decision } = await world.ladder.decide(world.context());
    expect(answer).toMatchObject({ reason: 'backend-suspended' });
    expect(decision).toMatchObject({ allow: false, source: 'fail-closed' });
  });

  it('is not asked when all are, and the mode of the first counts', async () => {
    const world = ladderOf({}, GROUP);
    flip(world, 'closed', 'backend', 'billing');
    flip(world, 'open');
    expect(await sources(world)).toBe('allow fail-open');
    expect(world.told.busQuestions).toEqual([]);
  });
});

describe('a route that is switched', () => {
  it('is switched for itself alone, though another one leads to the same backend', async () => {
    const world = ladderOf({}, ROUTES);
    flip(world, 'closed', 'route', 'sports');
    expect(await sources(world, { channel: 's1' })).toBe('deny fail-closed');
    expect(await sources(world, { channel: 'news' })).toBe('allow backend');
  });

  it('goes before the switch of its backend', async () => {
    const world = ladderOf({}, ROUTES);
    flip(world, 'closed', 'route', 'sports');
    flip(world, 'open');
    expect(await sources(world, { channel: 's1' })).toBe('deny fail-closed');
    expect(await sources(world, { channel: 'news' })).toBe('allow fail-open');
  });

  it('shares no answer in flight with the other route', async () => {
    const world = ladderOf(
      {},
      { routes: [{ name: 'vip', match: { edge: 'vip' }, backend: 'portal' }, ROUTES.routes[1]] },
    );
    flip(world, 'closed', 'route', 'vip');
    let answered: (answer: ReturnType<typeof allow>) => void = () => undefined;
    world.said.answer = new Promise((resolve) => {
      answered = resolve;
    });
    const asked = sources(world);
    expect(await sources(world, { edge: 'vip', sessionId: '43' })).toBe('deny fail-closed');
    answered(allow());
    expect(await asked).toBe('allow backend');
  });
});
