import { backendProblems, backendWarnings } from './backend-checks.js';
import { crossCheck, crossWarnings } from './cross-checks.js';
import { configSchema, type Config } from './schema.js';

const withBackend = (backend: object): Config =>
  configSchema.parse({
    backends: { portal: { type: 'http', url: 'http://portal.example.com', ...backend } },
  });
const said = (problems: ReturnType<typeof backendProblems>): string[] =>
  problems.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('a setting of one kind of backend', () => {
  it.each<[object, RegExp]>([
    [{ params: ['a=1'] }, /^backends\.portal\.params: is for type flussonic/],
    [{ type: 'xtream', params: ['a=1'] }, /^backends\.portal\.params: is for type flussonic/],
    [{ activeConnections: 'refuse' }, /^backends\.portal\.activeConnections: is for type xtream/],
    [
      { type: 'xtream', irrelevant: ['path'] },
      /^backends\.portal\.irrelevant: the path holds user and password/,
    ],
    [{ type: 'xtream', credentialParameter: 'token' }, /^backends\.portal\.credentialParameter: /],
  ])('is refused at another: %j', (backend, message) => {
    const config = withBackend(backend);
    expect(said(backendProblems(config))).toEqual([expect.stringMatching(message)]);
    expect(crossCheck(config)).toEqual(expect.arrayContaining(backendProblems(config)));
  });

  it.each([
    {},
    { type: 'http', irrelevant: ['path'], credentialParameter: 'token' },
    { type: 'flussonic', params: ['a=1'], credentialParameter: 'token', irrelevant: ['path'] },
    { type: 'xtream', activeConnections: 'refuse', irrelevant: ['ip'] },
  ])('is fine where it belongs: %j', (backend) => {
    expect(backendProblems(withBackend(backend))).toEqual([]);
  });

  it('params have names that stand in a query', () => {
    expect(() => withBackend({ type: 'flussonic', params: ['a&b=1'] })).toThrow(/name=value/);
  });
});

it('an address of a Flussonic endpoint that says what Usher says is warned of', () => {
  const url = 'http://portal.example.com/auth?key=1&name=x&ip=1';
  const config = withBackend({ type: 'flussonic', url });
  expect(said(backendWarnings(config))).toEqual([
    expect.stringMatching(/^backends\.portal\.url: name, ip: sent twice/),
  ]);
  expect(crossWarnings(config)).toEqual(expect.arrayContaining(backendWarnings(config)));
  expect(backendWarnings(withBackend({ url }))).toEqual([]);
});
