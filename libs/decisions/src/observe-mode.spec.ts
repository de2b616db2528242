import { deny, ladderOf, unavailable } from '../test/ladder-world.js';
import { ObserveMode } from './observe-mode.js';

function observing() {
  const world = ladderOf();
  const { asker, clock, registry, backends } = world;
  const observe = new ObserveMode(clock, asker, registry, backends, { lifeOf: () => 60_000 });
  return { ...world, decide: () => observe.decide(world.context(), 'portal') };
}

describe('mode observe', () => {
  it('gives the backend’s own answer', async () => {
    const { said, decide } = observing();
    said.answer = deny({ status: 402 });
    expect((await decide()).decision).toMatchObject({ allow: false, status: 402, verbatim: true });
    said.answer = { ...unavailable('backend'), status: 502 };
    expect((await decide()).decision).toMatchObject({ status: 502, verbatim: true, silent: false });
  });

  it.each<[string, (world: ReturnType<typeof observing>) => void]>([
    ['the backend gives none', ({ said }) => (said.answer = unavailable('backend'))],
    ['something of ours breaks', ({ said }) => (said.answer = Promise.reject(new Error('broken')))],
  ])('gives no answer at all where %s: the edge does what it does without us', async (_, happens) => {
    const world = observing();
    happens(world);
    expect((await world.decide()).decision).toMatchObject({ silent: true });
  });
});
