import fc from 'fast-check';
import { BusKeys } from './keys.js';

const keys = new BusKeys('usher');
const name = fc.oneof(
  fc.string(),
  fc.constantFrom('replies', 'wake', 'nodes', 'low', 'a:low', '{x}', '%72eplies'),
);
const wellFormed = name.filter((text) => !/\p{Surrogate}/u.test(text));

describe('key names', () => {
  it('two patterns or lanes never share a stream, nor take a name of the bus', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, wellFormed, wellFormed, (route, lane, otherRoute, otherLane) => {
        const key = keys.requests(route, lane);
        const same = route === otherRoute && lane === otherLane;
        expect(key === keys.requests(otherRoute, otherLane)).toBe(same);
        expect(keys.low(otherRoute, otherLane)).not.toBe(key);
        expect([keys.replies(lane), keys.wake(lane), keys.nodes, keys.events]).not.toContain(key);
      }),
    );
  });

  it('all that one command touches has the tag {bus}, and no other', () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, (route, lane) => {
        for (const key of [keys.requests(route, lane), keys.low(route, lane)]) {
          expect(/\{(.*?)\}/.exec(key)?.[1]).toBe('bus');
          expect(key).toMatch(/^[\w.@%:{}-]+$/);
        }
      }),
    );
    expect(keys.epoch).toBe('{usher:control}:epoch');
  });
});
