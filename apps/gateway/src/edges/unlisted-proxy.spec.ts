import { unlistedProxyWatch } from './unlisted-proxy.js';

describe('something between us and an edge that is named by its address', () => {
  const watched = () => {
    const said: string[] = [];
    return { said, watch: unlistedProxyWatch({ warn: (_fields, message) => said.push(message) }) };
  };

  it.each(['x-forwarded-for', 'forwarded', 'via'])('is told of once where it says so: %s', (header) => {
    const { said, watch } = watched();
    for (let i = 0; i < 3; i += 1) watch('astra-1', '10.9.0.1', { [header]: '10.0.0.7', 'x-real-ip': '::1' });
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(
      new RegExp(`astra-1 is named by its address, and 10.9.0.1 sends ${header}: .*gateway.proxies`),
    );
    watch('astra-1', '10.9.0.2', { [header]: '10.0.0.7' });
    expect(said).toHaveLength(2);
  });

  it('is nothing that the edge itself says of its viewer', () => {
    const { said, watch } = watched();
    watch('astra-1', '10.0.0.7', { 'x-real-ip': '192.0.2.7', 'x-session-id': '42' });
    expect(said).toEqual([]);
  });

  it('fills no memory', () => {
    const { said, watch } = watched();
    for (let i = 0; i < 1_000; i += 1) watch('astra-1', `10.9.${i >> 8}.${i & 255}`, { via: '1.1 lb' });
    expect(said).toHaveLength(100);
  });
});
