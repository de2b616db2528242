import { silentLog } from '#usher/domain';
import { oneAddressWatch } from './one-address.js';

describe('an edge all of whose viewers have one address', () => {
  const watched = (addresses: readonly string[]): string[] => {
    const said: string[] = [];
    const watch = oneAddressWatch({ ...silentLog, warn: (_fields, message) => said.push(message) });
    for (const address of addresses) watch('astra-1', address);
    return said;
  };
  const many = (address: string) => Array<string>(500).fill(address);

  it('is told of once', () => {
    expect(watched(many('10.9.0.1'))).toEqual([
      'all viewers of astra-1 come from one address: does a proxy in between set X-Real-IP?',
    ]);
  });

  it('is not, once a second address was seen', () => {
    expect(watched(['192.0.2.1', ...many('10.9.0.1')])).toEqual([]);
  });
});
