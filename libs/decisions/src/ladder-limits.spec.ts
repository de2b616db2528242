import type { AllowAnswer, Hold } from '#usher/domain';
import { eventually } from '#usher/testing';
import { allow, deny, ladderOf, sources, unavailable } from '../test/ladder-world.js';

/** Limits that are enforced, with a cap on the backend, and a backend that names its user. */
function limitedWorld(
  backend: Record<string, unknown> = { maxDevices: 2 },
  extra: Record<string, unknown> = {},
  limits: Record<string, unknown> = {},
) {
  const world = ladderOf(backend, { limits: { mode: 'enforce', ...limits }, ...extra });
  world.said.answer = allow({ user: 'anna', sessionName: 'Anna' });
  return world;
}

const capOf = async (world: ReturnType<typeof limitedWorld>, answer: Partial<AllowAnswer> = {}) => {
  world.said.answer = allow({ user: 'anna', ...answer });
  await sources(world);
  return world.told.newcomers.at(-1)?.cap;
};

describe('a newcomer over the cap', () => {
  it('is refused by rule, plays nowhere, and is asked about again', async () => {
    const world = limitedWorld();
    world.said.place = 'over';
    const { decision, answer, kept } = await world.ladder.decide(world.context());
    expect(decision).toMatchObject({
      allow: false,
      source: 'rule',
      reason: 'limit-reached',
      backend: 'portal',
    });
    expect(decision).toMatchObject({ user: 'anna', sessionName: 'Anna' });
    expect(decision.status).toBeUndefined();
    expect(answer).toMatchObject({ kind: 'allow' });
    expect(kept).toBeUndefined();
    expect(world.told.opened).toEqual([]);
    world.said.place = 'admitted';
    // The backend’s answer is shared for a while.
    expect(await sources(world)).toBe('allow cache');
    expect(world.told.opened).toHaveLength(1);
  });

  it('is refused whichever way the allow came', async () => {
    const world = limitedWorld();
    world.said.asked = { kind: 'not-taken' };
    world.said.direct = allow({ user: 'anna' });
    world.said.place = 'over';
    expect(await sources(world)).toBe('deny rule');
    expect(await sources(world, { sessionId: '43' })).toBe('deny rule');
    expect(world.told.newcomers.map(({ sessionId }) => sessionId)).toEqual(['42', '43']);
  });

  it.each([
    ['was let in by what stood in for it is counted, and counted again soon', 'open', true],
    ['was refused meanwhile is a newcomer as any other', 'closed', undefined],
  ])('whoever, before a late answer, %s', async (_, failMode, isLate) => {
    const world = limitedWorld({ maxDevices: 2, failMode });
    let answer!: (value: AllowAnswer) => void;
    world.said.answer = new Promise((resolve) => (answer = resolve));
    const { decision } = await world.ladder.decide(world.context({}, 60));
    expect(decision.allow).toBe(failMode === 'open');
    answer(allow({ user: 'anna' }));
    await eventually(() => world.told.newcomers.length === 1);
    expect(world.told.newcomers[0]!.isLate).toBe(isLate);
  });

  it('is let in where limits only observe, and the answer waits for nobody', async () => {
    const world = limitedWorld({ maxDevices: 2 }, {}, { mode: 'observe' });
    world.said.place = new Promise(() => undefined);
    expect(await sources(world)).toBe('allow backend');
    expect(world.told.newcomers).toHaveLength(1);
    expect(world.told.busQuestions[0]?.unopened).toBeFalsy();
    expect(world.told.opened).toEqual([]);
  });
});

describe('who asks for a place', () => {
  it('says who it is, on which device', async () => {
    const world = limitedWorld({ maxDevices: 2, device: 'mac', namespace: 'people' });
    const { identity } = world.context({ query: 'mac=00:1a' });
    await sources(world, { query: 'mac=00:1a' });
    expect(world.told.newcomers).toEqual([
      {
        edge: 'astra-1',
        sessionId: '42',
        channel: 'a001',
        namespace: 'people',
        user: 'anna',
        viewerKey: identity.viewerKey,
        device: 'named',
        habit: 'once',
        asksAgainAfter: 180_000,
        cap: 2,
        isOpen: false,
      },
    ]);
  });

  it.each([
    ['http', {}, 'guess'],
    ['ministra', { url: 'http://portal.example.com/stalker_portal' }, 'user'],
    ['ministra', { url: 'http://portal.example.com/stalker_portal', device: 'token' }, 'named'],
  ])('of a %s with %j is a device that is a %s', async (type, more, device) => {
    const world = limitedWorld({ type, maxDevices: 2, ...more });
    await sources(world);
    expect(world.told.newcomers).toMatchObject([{ device }]);
  });

  it('opens the session by himself once he is admitted: no worker does', async () => {
    const world = limitedWorld();
    await sources(world);
    expect(world.told.busQuestions[0]?.unopened).toBe(true);
    expect(world.told.opened).toHaveLength(1);
  });

  it('is nobody who has no name, or no cap, or asks a backend that denies or cannot be asked', async () => {
    const nameless = limitedWorld();
    nameless.said.answer = allow();
    expect(await sources(nameless)).toBe('allow backend');
    const free = limitedWorld({});
    expect(await sources(free)).toBe('allow backend');
    expect(free.told.busQuestions[0]?.unopened).toBe(false);
    const denied = limitedWorld();
    denied.said.answer = deny();
    expect(await sources(denied)).toBe('deny backend');
    const away = limitedWorld();
    away.said.place = 'over';
    away.said.answer = unavailable('backend');
    away.said.known = { user: 'anna', sessionName: '', allowedAt: away.clock.now(), grants: new Map() };
    expect(await sources(away)).toBe('allow known');
    for (const { told } of [nameless, free, denied, away]) expect(told.newcomers).toEqual([]);
  });

  it('is nobody where limits are off', async () => {
    const world = limitedWorld({ maxDevices: 1 }, {}, { mode: 'off' });
    world.said.place = 'over';
    expect(await sources(world)).toBe('allow backend');
    expect(world.told.newcomers).toEqual([]);
  });

  it('is asked once: what is kept is answered without a place', async () => {
    const world = limitedWorld();
    expect(await sources(world)).toBe('allow backend');
    world.said.place = 'over';
    expect(await sources(world)).toBe('allow cache');
    expect(world.told.newcomers).toHaveLength(1);
  });

  it('of a session that was allowed earlier says so', async () => {
    const world = limitedWorld({ maxDevices: 2, credential: 'reusable' });
    world.said.answer = allow({ user: 'anna', authDuration: 60 });
    await sources(world);
    world.clock.advance(61_000);
    await sources(world);
    expect(world.told.newcomers.map(({ isOpen }) => isOpen)).toEqual([false, true]);
    expect(world.told.newcomers[0]?.asksAgainAfter).toBe(60_000);
  });

  it('is nobody whom a hold lets in, and nobody whom one refuses', async () => {
    const world = limitedWorld();
    world.said.place = 'over';
    const hold = (effect: Hold['effect']): Hold => ({
      kind: 'user',
      subject: 'portal/anna',
      effect,
      since: 0,
      until: Infinity,
      origin: 'hand',
      by: '',
      reason: '',
    });
    world.holds.ofUser = () => hold('pass');
    expect(await sources(world)).toBe('allow backend');
    world.holds.ofUser = () => hold('refuse');
    expect(await sources(world, { sessionId: '43', query: 'token=other' })).toBe('deny hold');
    expect(world.told.newcomers).toEqual([]);
  });
});

describe('the cap', () => {
  const headers = { fromHeaders: true };

  it('is the route’s, else the backend’s', async () => {
    const routes = [
      { match: { channel: 'a*' }, backend: 'portal', maxDevices: 1 },
      { match: {}, backend: 'portal' },
    ];
    const world = limitedWorld({ maxDevices: 3 }, { routes });
    await sources(world);
    await sources(world, { sessionId: '43', channel: 'b002' });
    expect(world.told.newcomers.map(({ cap }) => cap)).toEqual([1, 3]);
  });

  it.each([
    [{ maxSessions: 4 }, 4],
    [{ unique: true }, 1],
    [{ unique: true, maxSessions: 4 }, 4],
    [{ unique: false }, undefined],
    [{ maxSessions: 0 }, undefined],
    [{ maxSessions: 1_000_000 }, undefined],
    [{}, undefined],
  ])('is what the headers say, %j, where nothing is configured', async (answer, cap) => {
    expect(await capOf(limitedWorld({}, {}, headers), answer)).toBe(cap);
    expect(await capOf(limitedWorld({}), answer)).toBeUndefined();
    expect(await capOf(limitedWorld({ maxDevices: 7 }, {}, headers), answer)).toBe(7);
  });

  it('is never in the headers of a ministra', async () => {
    const ministra = { type: 'ministra', url: 'http://portal.example.com/stalker_portal' };
    expect(await capOf(limitedWorld(ministra, {}, headers), { maxSessions: 10 })).toBeUndefined();
  });
});
