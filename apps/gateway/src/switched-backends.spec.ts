import { configSchema } from '#usher/config';
import { switchedBackends } from './switched-backends.js';

const url = 'http://portal.example.com';
const config = configSchema.parse({
  backends: {
    portal: { type: 'http', url },
    billing: { type: 'http', url },
    alone: { type: 'http', url },
  },
  groups: { both: { backends: ['portal', 'billing'] } },
  routes: [
    { name: 'sports', match: { channel: 's*' }, group: 'both' },
    { name: 'rest', backend: 'alone' },
  ],
});

it.each([
  ['backend', 'alone', ['alone']],
  ['backend', 'billing', ['billing', 'portal']],
  ['route', 'sports', ['billing', 'portal']],
  ['route', 'rest', ['alone']],
  ['route', 'of another configuration', []],
] as const)('a switch on %s %s concerns what stood in for %j', (kind, name, expected) => {
  expect([...new Set(switchedBackends(config, { kind, name }))].sort()).toEqual(expected);
});
