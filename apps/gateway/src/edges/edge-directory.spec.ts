import { configSchema } from '#usher/config';
import { askerReader } from './asker.js';
import { EdgeDirectory } from './edge-directory.js';
import { networkTest } from './networks.js';

const directory = (edges: Record<string, unknown>) => {
  const config = configSchema.parse({ edges });
  return new EdgeDirectory(config.edges, config.gateway.edgesFrom);
};

describe('an edge is named by its URL, else by its source address', () => {
  const edges = directory({
    'astra-1': { addresses: ['10.0.0.11'] },
    'alta-1': { dialect: 'alta', secret: 'correct-horse', deadline: '500ms' },
    v6: { addresses: ['2001:db8::/32'] },
  });
  it.each([
    [
      '/e/astra-1/check',
      '10.0.0.11',
      { kind: 'edge', name: 'astra-1', type: { name: 'astra' }, action: 'check' },
    ],
    ['/e/astra-1/closed', '10.0.0.11', { kind: 'edge', name: 'astra-1', action: 'closed' }],
    ['/e/astra-1/check', '10.0.0.12', { kind: 'unknown' }],
    ['/', '10.0.0.11', { kind: 'edge', name: 'astra-1', action: 'check' }],
    ['/any/path', '10.0.0.11', { kind: 'edge', name: 'astra-1', action: 'check' }],
    ['/', '2001:db8::5', { kind: 'edge', name: 'v6' }],
    [
      '/e/alta-1/correct-horse/check',
      '203.0.113.9',
      { kind: 'edge', name: 'alta-1', type: { name: 'alta' }, deadline: 500 },
    ],
    ['/e/alta-1/wrong-horse-1/check', '203.0.113.9', { kind: 'unknown' }],
    ['/e/alta-1/check', '203.0.113.9', { kind: 'unknown' }],
    ['/e/nobody/check', '10.0.0.11', { kind: 'unknown' }],
    ['/e/astra-1/nonsense', '10.0.0.11', { kind: 'unknown' }],
    ['/e/__proto__/check', '10.0.0.11', { kind: 'unknown' }],
  ] as const)('%s from %s', (path, address, expected) => {
    expect(edges.resolve(path, address)).toMatchObject(expected);
  });

  it('tells an unknown edge its address and the setting', () => {
    expect(edges.resolve('/', '192.0.2.99')).toEqual({
      kind: 'unknown',
      sentence:
        '192.0.2.99 is not a configured edge: add it to edges.<name>.addresses, or let it ask /e/<edge>/check',
    });
  });

  it('never says a secret back', () => {
    for (const path of ['/e/alta-1/wrong-horse-1/check', '/e/alta-1/correct-horse/chek']) {
      expect(JSON.stringify(edges.resolve(path, '192.0.2.99'))).not.toContain('horse');
    }
  });
});

it.each([
  ['mediamtx', { dialect: 'mediamtx' }, 1_000],
  ['nginx', { dialect: 'forward' }, undefined],
  ['Envoy', { dialect: 'forward', forward: { proxy: 'envoy' } }, 150],
  ['Envoy that was told to wait', { dialect: 'forward', deadline: '2s', forward: { proxy: 'envoy' } }, 2_000],
])('%s is answered before it gives up', (_, edge, deadline) => {
  expect(directory({ one: edge }).resolve(`/e/one/${edge.dialect}`, '10.0.0.11')).toMatchObject({
    kind: 'edge',
    name: 'one',
    deadline,
  });
});

describe('while no edge is configured', () => {
  const edges = directory({});
  it('private addresses are edges of dialect astra', () => {
    expect(edges.isOpen).toBe(true);
    expect(edges.resolve('/e/astra-1/check', '127.0.0.1')).toMatchObject({
      name: 'astra-1',
      type: { name: 'astra' },
    });
    expect(edges.resolve('/', '192.168.1.4')).toMatchObject({ name: '192.168.1.4' });
  });
  it('public addresses are not', () => {
    expect(edges.resolve('/e/astra-1/check', '198.51.100.4')).toMatchObject({ kind: 'unknown' });
    expect(edges.resolve('/', 'nonsense')).toMatchObject({ kind: 'unknown' });
  });
});

describe('behind load balancers the last hop that is no listed proxy is the edge', () => {
  const asker = askerReader(['10.9.0.0/16', '::1']);
  it.each([
    ['10.0.0.1', '', '10.0.0.1'],
    ['::ffff:10.0.0.1', '', '10.0.0.1'],
    ['10.9.0.1', '10.0.0.7', '10.0.0.7'],
    ['10.9.0.1', '6.6.6.6, 10.0.0.7, 10.9.0.2', '10.0.0.7'],
    ['::1', '10.0.0.8', '10.0.0.8'],
    ['192.0.2.1', '10.0.0.7', '192.0.2.1'],
    ['10.9.0.1', '', '10.9.0.1'],
  ])('%s with X-Forwarded-For %p is %s', (remote, forwarded, expected) => {
    expect(asker(remote, forwarded).address).toBe(expected);
  });

  it('what the edge itself says of its viewer stays, as the nginx of deploy/ passes it', () => {
    // $proxy_add_x_forwarded_for: what came, a comma and a space, who connected.
    const asked = asker('10.9.0.1', '203.0.113.9, 192.0.2.7, 10.0.0.7');
    expect(asked).toEqual({ address: '10.0.0.7', forwardedFor: '203.0.113.9, 192.0.2.7', isProxied: true });
  });

  it('a setting that is no network is refused with its name', () => {
    expect(() => networkTest(['10.0.0.0/99'], 'gateway.proxies')).toThrow('gateway.proxies: 10.0.0.0/99');
  });
});
