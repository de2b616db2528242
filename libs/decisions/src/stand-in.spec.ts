import { ladderOf, unavailable } from '../test/ladder-world.js';
import type { CheckContext } from './check-context.js';
import { StandIn, type TrustEnd } from './stand-in.js';

type Ended = ReturnType<TrustEnd['trustEnded']>;

/** What stands in for the backend's word where letting in on trust has ended by these limits. */
async function standsIn(
  ended: Readonly<Record<string, Ended>>,
  { because = 'backend' as 'backend' | 'us', part = {} as Partial<CheckContext>, config = {} } = {},
): Promise<string> {
  const { clock, known, context } = ladderOf({}, config);
  const standIn = new StandIn(clock, known, { trustEnded: (backend) => ended[backend] });
  const { allow, source, reason } = await standIn.decide({ ...context(), ...part }, unavailable(because));
  return `${allow ? 'allow' : 'deny'} ${source} ${reason}`;
}

describe('a limit of letting in on trust', () => {
  it.each([
    [undefined, 'allow fail-open on-trust'],
    ['maxOutage', 'deny fail-closed trust-ended'],
    ['failOpenBudget', 'deny fail-closed trust-ended'],
  ] as const)('%s: who is new gets %s', async (ended, expected) => {
    expect(await standsIn({ portal: ended })).toBe(expected);
  });

  it.each([
    ['maxOutage', 'deny fail-closed trust-ended'],
    ['failOpenBudget', 'allow fail-open on-trust'],
  ] as const)('%s: who was let in on trust before gets %s', async (ended, expected) => {
    expect(await standsIn({ portal: ended }, { part: { onTrust: true } })).toBe(expected);
  });

  it('says nothing about our own faults', async () => {
    expect(await standsIn({ portal: 'maxOutage' }, { because: 'us' })).toBe('allow overload overload-trust');
  });

  it('leaves who was allowed alone', async () => {
    const world = ladderOf();
    await world.ladder.decide(world.context());
    const [previous] = [...world.kept.sessions()];
    expect(await standsIn({ portal: 'maxOutage' }, { part: { previous } })).toBe('allow stale stale-grant');
  });

  it.each([
    ['maxOutage', undefined, 'allow fail-open on-trust'],
    ['maxOutage', 'failOpenBudget', 'deny fail-closed trust-ended'],
  ] as const)('of a group counts where each member has reached one: %s, %s', async (one, two, expected) => {
    const config = {
      backends: {
        one: { type: 'http', url: 'http://one.example.com' },
        two: { type: 'http', url: 'http://two.example.com' },
      },
      groups: { both: { backends: ['one', 'two'] } },
      routes: [{ group: 'both' }],
    };
    expect(await standsIn({ one, two }, { config })).toBe(expected);
  });

  it('knows who was let in on trust before, from its own memory and from the registry', async () => {
    const world = ladderOf({ failMode: 'open' });
    world.said.answer = unavailable('backend');
    const first = world.context();
    await world.ladder.decide(first);
    expect(first.onTrust).not.toBe(true);
    world.clock.advance(120_000);
    const again = world.context();
    await world.ladder.decide(again);
    expect(again.onTrust).toBe(true);
    const elsewhere = ladderOf();
    elsewhere.said.found = { kind: 'same', session: world.told.opened[0]! };
    const there = elsewhere.context();
    await elsewhere.ladder.decide(there);
    expect(there.onTrust).toBe(true);
  });
});
