import { ManualClock } from '#usher/testing';
import { oneAddressWatch } from './one-address.js';

const MINUTE = 60_000;
const SAID = 'all viewers of astra-1 come from one address: does a proxy in between set X-Real-IP?';

describe('an edge all of whose viewers have one address', () => {
  const watched = () => {
    const clock = new ManualClock();
    const said: string[] = [];
    const watch = oneAddressWatch({ warn: (_fields, message) => said.push(message) }, clock);
    return {
      clock,
      said,
      see: (address: string, times = 1) => {
        for (let i = 0; i < times; i += 1) watch('astra-1', address);
      },
    };
  };

  it('is told of once', () => {
    const { said, see } = watched();
    see('10.9.0.1', 500);
    expect(said).toEqual([SAID]);
  });

  it('is told of where that begins one day, though it had others', () => {
    const { clock, said, see } = watched();
    for (let i = 0; i < 50; i += 1) see(`192.0.2.${i}`, 10);
    for (let minute = 0; minute < 12; minute += 1) {
      see('10.9.0.1', 30);
      clock.advance(MINUTE);
    }
    expect(said).toEqual([SAID]);
  });

  it('is not, where one viewer of many asks and asks', () => {
    const { said, see } = watched();
    see('192.0.2.1');
    see('198.51.100.7', 5_000);
    expect(said).toEqual([]);
  });

  it('is not, where another one came in between', () => {
    const { clock, said, see } = watched();
    for (let minute = 0; minute < 60; minute += 1) {
      see('10.9.0.1', 100);
      if (minute % 5 === 0) see('192.0.2.1');
      clock.advance(MINUTE);
    }
    expect(said).toEqual([]);
  });
});
