import type { ShownBefore, VisitStore } from '#usher/sessions';
import { ManualClock } from '#usher/testing';
import { Visits } from './visits.js';

const LIFE = 600_000;
const shown = (query: string): ShownBefore => ({ query, token: undefined, authorization: undefined });

describe('what viewers showed', () => {
  let clock: ManualClock;
  let visits: Visits;
  let told: string[];
  let there: ShownBefore | undefined;
  let isAway: boolean;

  beforeEach(() => {
    clock = new ManualClock();
    told = [];
    there = undefined;
    isAway = false;
    // Stands for Redis, which has a test of its own (visit-store.spec.ts).
    const store: Pick<VisitStore, 'find' | 'keep'> = {
      find: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(there)),
      keep: (key, { query }, life) => {
        told.push(`${key} ${query} ${life}`);
        return isAway ? Promise.reject(new Error('away')) : Promise.resolve();
      },
    };
    visits = new Visits(clock, store, 100);
  });

  it('is remembered, the newest first, of four who cannot be told apart', () => {
    for (const query of ['a', 'b', 'c', 'd', 'e', 'c']) visits.note('v', shown(query), LIFE);
    expect(visits.here('v').map(({ query }) => query)).toEqual(['c', 'e', 'd', 'b']);
    expect(visits.here('w')).toEqual([]);
  });

  it('is told to Redis once, and again in half of its life while it is asked about', () => {
    const visit = visits.note('v', shown('a'), LIFE);
    visits.note('v', shown('a'), LIFE);
    visits.touch(visit);
    expect(told).toEqual(['v a 900000']);
    clock.advance(LIFE / 2);
    visits.touch(visit);
    visits.touch(visit);
    expect(told).toEqual(['v a 900000', 'v a 900000']);
  });

  it('is over when nobody asked for its life, and nobody of then comes back with the next', () => {
    const visit = visits.note('v', shown('a'), LIFE);
    clock.advance(LIFE - 1);
    visits.touch(visit);
    clock.advance(LIFE - 1);
    expect(visits.here('v')).toHaveLength(1);
    clock.advance(1);
    expect(visits.isAlive(visit)).toBe(false);
    expect(visits.here('v')).toEqual([]);
    visits.note('v', shown('b'), LIFE);
    expect(visits.here('v').map(({ query }) => query)).toEqual(['b']);
  });

  it('is forgotten once it was refused, and another’s is left', () => {
    visits.note('v', shown('a'), LIFE);
    visits.note('v', shown('b'), LIFE);
    visits.forget('v', shown('b'));
    expect(visits.here('v').map(({ query }) => query)).toEqual(['a']);
    visits.forget('v', shown('a'));
    expect(visits.size).toBe(0);
  });

  it('is nowhere while Redis is away', async () => {
    there = shown('a');
    expect(await visits.elsewhere('v')).toEqual([there]);
    isAway = true;
    expect(await visits.elsewhere('v')).toEqual([]);
    visits.note('v', shown('b'), LIFE);
    expect(visits.here('v')).toHaveLength(1);
  });

  it('fills no memory', () => {
    for (let i = 0; i < 200; i += 1) visits.note(`v${i}`, shown('x'.repeat(8_000)), LIFE);
    expect(visits.size).toBeLessThan(20);
  });
});
