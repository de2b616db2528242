import fc from 'fast-check';
import type { Ballot } from './keeper.js';
import { isAgainst, tally } from './tally.js';

const ballots = fc.array(
  fc.record<Ballot>({
    host: fc.constantFrom('h1', 'h2', 'h3', 'h4'),
    node: fc.string({ maxLength: 3 }),
    opinion: fc.constantFrom('good', 'bad', 'failing'),
    calls: fc.nat(100),
    rate: fc.nat(100),
  }),
);

const vote = (host: string, opinion: Ballot['opinion']): Ballot => ({
  host,
  node: `${host}-${opinion}`,
  opinion,
  calls: 5,
  rate: 10,
});

describe('a tally', () => {
  it('is against with more than half, and not with a tie', () => {
    expect(isAgainst(tally([vote('h1', 'failing'), vote('h2', 'good')]))).toBe(false);
    expect(isAgainst(tally([vote('h1', 'failing'), vote('h2', 'good'), vote('h3', 'bad')]))).toBe(true);
    expect(isAgainst(tally([]))).toBe(false);
  });

  it('gives a host that is of two minds no vote against', () => {
    expect(tally([vote('h1', 'failing'), vote('h1', 'good')])).toMatchObject({ voters: 1, against: 0 });
  });

  it('never lets more processes on a host count for more than the host', () => {
    fc.assert(
      fc.property(ballots, (given) => {
        const once = tally(given);
        const twice = tally([...given, ...given.map((ballot) => ({ ...ballot, node: `${ballot.node}'` }))]);
        expect([twice.voters, twice.against]).toEqual([once.voters, once.against]);
        expect(once.voters).toBe(new Set(given.map(({ host }) => host)).size);
        expect(isAgainst(once)).toBe(once.against > once.voters - once.against);
      }),
    );
  });
});
