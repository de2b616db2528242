import type { Hold, RuleAllow, RuleChain, RuleDenial, RuleInput } from '#usher/domain';
import { ladderOf, sources, type World } from '../test/ladder-world.js';

const DENIED: RuleDenial = { kind: 'deny', rule: 'ip', reason: 'rule-ip-denied' };
const ENFORCED = { limits: { mode: 'enforce' }, routes: [{ backend: 'portal', maxDevices: 2 }] };

/** Rules that say what a test wants, and note what they were asked. */
function chain(world: World, said: Partial<RuleChain> = {}) {
  const asked: RuleInput[] = [];
  world.said.rules = {
    decide: (input) => {
      asked.push(input);
      return said.decide?.(input) ?? { kind: 'pass' };
    },
    refusal: (input) => said.refusal?.(input),
  };
  return asked;
}

const letsIn = (part: Partial<RuleAllow> = {}) => ({
  decide: (): RuleAllow => ({ kind: 'allow', rule: 'jwt', user: 'anna', ...part }),
});

describe('rung rule', () => {
  it('what no rule decides is asked about', async () => {
    const world = ladderOf();
    const asked = chain(world);
    expect(await sources(world)).toBe('allow backend');
    expect(asked).toMatchObject([{ channel: 'a001', ip: '192.0.2.7', query: 'token=123' }]);
  });

  it('whom a rule lets in is asked about nowhere, and has a session under his name', async () => {
    const world = ladderOf();
    chain(world, letsIn());
    const { decision } = await world.ladder.decide(world.context());
    expect(decision).toMatchObject({ allow: true, source: 'rule', reason: 'rule-allowed', user: 'anna' });
    expect(world.told.opened).toMatchObject([
      { user: 'anna', namespace: '_rules', source: 'rule', authorizedUntil: 0 },
    ]);
    expect(await sources(world)).toBe('allow cache');
    expect(world.told.busQuestions).toEqual([]);
  });

  it('a token’s end is the end: it is looked at again then', async () => {
    const world = ladderOf();
    chain(world, letsIn({ until: world.clock.now() + 5_000 }));
    await sources(world);
    world.clock.advance(4_999);
    expect(await sources(world)).toBe('allow cache');
    world.clock.advance(2);
    chain(world, { decide: () => ({ kind: 'deny', rule: 'jwt', reason: 'rule-token-expired' }) });
    expect(await sources(world)).toBe('deny rule');
  });

  it('a refusal by address counts for a session that is kept here, too, and is over with the list', async () => {
    const world = ladderOf();
    expect(await sources(world)).toBe('allow backend');
    chain(world, { refusal: () => DENIED });
    expect(await sources(world)).toBe('deny rule');
    chain(world);
    expect(await sources(world)).toBe('allow cache');
  });

  it('a free pass by hand overrules the lists', async () => {
    const world = ladderOf();
    chain(world, { refusal: () => DENIED });
    const hold = { effect: 'pass', kind: 'network', subject: '192.0.2.7', until: world.clock.now() + 60_000 };
    world.holds.before = () => hold as Hold;
    expect(await sources(world)).toBe('allow hold');
  });

  it('a hold on the user whom a rule names refuses him', async () => {
    const world = ladderOf();
    chain(world, letsIn());
    world.holds.ofUser = (namespace, user) =>
      namespace === '_rules' && user === 'anna' ? ({ effect: 'refuse', kind: 'user' } as Hold) : undefined;
    expect(await sources(world)).toBe('deny hold');
    expect(world.told.opened).toEqual([]);
  });

  it('a denial is no session, and the backend is not asked', async () => {
    const world = ladderOf();
    chain(world, { decide: () => DENIED });
    const { decision } = await world.ladder.decide(world.context());
    expect(decision).toEqual({ allow: false, source: 'rule', reason: 'rule-ip-denied' });
    expect([...world.told.busQuestions, ...world.told.opened]).toEqual([]);
  });

  it.each([
    ['of the route', {}, 2],
    ['of the token, where the route has none', { maxSessions: 3 }, 3],
  ])('the cap %s counts', async (_, part, cap) => {
    const world = ladderOf({}, cap === 2 ? ENFORCED : { ...ENFORCED, routes: [{ backend: 'portal' }] });
    chain(world, letsIn(part));
    expect(await sources(world)).toBe('allow rule');
    expect(world.told.newcomers).toMatchObject([{ user: 'anna', namespace: '_rules', cap, device: 'guess' }]);
    world.said.place = 'over';
    expect(await sources(world, { sessionId: '43' })).toBe('deny rule');
    expect(world.told.opened).toHaveLength(1);
  });

  it('who may publish is decided by them first', async () => {
    const routes = [{ match: { action: 'publish' }, backend: 'portal' }];
    const world = ladderOf({}, { routes });
    chain(world, letsIn());
    const allowed = await world.ladder.publish(world.context({ action: 'publish' }));
    expect(allowed.decision).toMatchObject({ allow: true, source: 'rule', user: 'anna' });
    chain(world, { refusal: () => DENIED });
    const refused = await world.ladder.publish(world.context({ action: 'publish' }));
    expect(refused.decision).toMatchObject({ allow: false, reason: 'rule-ip-denied' });
    expect([...world.told.busQuestions, ...world.told.opened]).toEqual([]);
  });

  it('that are not done in time let nobody past them, and nothing of it is kept', async () => {
    const world = ladderOf();
    chain(world, { decide: () => new Promise(() => undefined) });
    const { decision, kept } = await world.ladder.decide(world.context({}, 60));
    expect(decision).toEqual({ allow: false, source: 'rule', reason: 'rule-busy' });
    expect(kept).toBeUndefined();
    chain(world);
    expect(await sources(world)).toBe('allow backend');
  });

  it.each(['rule-busy', 'rule-keys-missing', 'rule-broken'] as const)(
    'a denial by %s is not kept',
    async (reason) => {
      const world = ladderOf();
      chain(world, { decide: () => ({ kind: 'deny', rule: 'jwt', reason }) });
      expect((await world.ladder.decide(world.context())).kept).toBeUndefined();
    },
  );

  it('on a route that asks nobody a fault of ours lets nobody in', async () => {
    const rules = { ip: { deny: ['198.51.100.0/24'] } };
    const world = ladderOf({}, { routes: [{ match: { channel: 'own' }, rules }, { backend: 'portal' }] });
    chain(world, { decide: () => Promise.reject(new Error('broken')) });
    expect(await sources(world, { channel: 'own' })).toBe('deny overload');
  });
});
