import type { Hold } from '#usher/domain';
import { allow, deny, ladderOf, unavailable, type World } from '../test/ladder-world.js';

const PUBLISH = {
  routes: [{ match: { action: 'publish', channel: 'live-*' }, backend: 'portal' }, { backend: 'portal' }],
};

const publish = async (world: World, channel = 'live-1') =>
  (await world.ladder.publish(world.context({ action: 'publish', channel }))).decision;

describe('publishing is answered on purpose', () => {
  it('by a route of its own: it is never taken for a play', async () => {
    const world = ladderOf({}, PUBLISH);
    expect(await publish(world)).toMatchObject({ allow: true, source: 'backend', reason: 'publish-allowed' });
    expect(world.told.busQuestions[0]).toMatchObject({ unopened: true, check: { action: 'publish' } });
    expect(await publish(world, 'other')).toEqual({
      allow: false,
      source: 'rule',
      reason: 'publish-unrouted',
    });
    expect(world.told.busQuestions).toHaveLength(1);
  });

  it('a player is never answered by a route for publishers', async () => {
    const world = ladderOf(
      {},
      { routes: [{ match: { action: 'publish' }, access: 'public' }, { backend: 'portal' }] },
    );
    expect(world.context({}).route.target).toBe('portal');
    expect(await publish(world)).toMatchObject({ allow: true, reason: 'public' });
  });

  it('each time by the backend: nothing is kept, shared or opened', async () => {
    const world = ladderOf({}, PUBLISH);
    await publish(world);
    world.said.answer = deny();
    expect(await publish(world)).toMatchObject({ allow: false, source: 'backend', status: 403 });
    expect(world.told.opened).toEqual([]);
    expect(world.kept.size).toBe(0);
  });

  it.each([
    ['backend', undefined, false, 'fail-closed'],
    ['backend', 'open', true, 'fail-open'],
    ['us', 'open', false, 'fail-closed'],
  ] as const)(
    'unavailable because of %s, fail mode %s: allowed is %s',
    async (because, failMode, isAllowed, source) => {
      const route = { match: { action: 'publish' }, backend: 'portal', ...(failMode && { failMode }) };
      const world = ladderOf({}, { routes: [route, { backend: 'portal' }] });
      world.said.answer = unavailable(because);
      expect(await publish(world)).toMatchObject({ allow: isAllowed, source, because });
    },
  );

  it.each(['refuse', 'pass'] as const)('a hold that says %s has the first word', async (effect) => {
    const world = ladderOf({}, PUBLISH);
    world.holds.before = (): Hold => ({ effect, kind: 'network', subject: '192.0.2.7' }) as Hold;
    expect(await publish(world)).toMatchObject({ allow: effect === 'pass', source: 'hold' });
    expect(world.told.busQuestions).toEqual([]);
  });
});

describe('a viewer who was not asked for credentials yet', () => {
  it('is asked for them before a backend is asked about him', async () => {
    const world = ladderOf();
    const context = { ...world.context({ query: '' }), lacksCredentials: true };
    const { decision, kept } = await world.ladder.decide(context);
    expect(decision).toMatchObject({ allow: false, reason: 'credentials-missing', status: 401 });
    expect(kept).toBeUndefined();
    expect(world.told.busQuestions).toEqual([]);
  });

  it('plays what is public, and what he was allowed before', async () => {
    const open = ladderOf({}, { routes: [{ access: 'public' }] });
    const lacks = { lacksCredentials: true };
    expect((await open.ladder.decide({ ...open.context(), ...lacks })).decision.allow).toBe(true);
    const world = ladderOf();
    world.said.answer = allow();
    await world.ladder.decide(world.context());
    expect((await world.ladder.decide({ ...world.context(), ...lacks })).decision).toMatchObject({
      allow: true,
      source: 'cache',
    });
  });
});
