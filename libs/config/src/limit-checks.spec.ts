import { limitWarnings } from './limit-checks.js';
import { configSchema } from './schema.js';

const warned = (limits: object, edges: object, backend: object = { maxDevices: 3 }): string[] =>
  limitWarnings(
    configSchema.parse({
      limits,
      edges,
      backends: { portal: { type: 'http', url: 'http://portal.example.com', ...backend } },
    }),
  ).map(({ path, message }) => `${path.join('.')}: ${message}`);

const listed = { control: { url: 'http://a:8000' } };
const called = { control: { type: 'http', url: 'http://a/cut/{session}' } };
const NOTHING_COUNTS =
  'limits are enforced, and it has no session list: unless it asks again nothing there counts';

describe('limits that are enforced', () => {
  const enforce = { mode: 'enforce' };

  it('warn of edges that tell no session’s end', () => {
    expect(warned(enforce, { listed, called, plain: {} })).toEqual([
      `edges.called: ${NOTHING_COUNTS}`,
      `edges.plain: ${NOTHING_COUNTS}`,
    ]);
    expect(warned(enforce, {})).toEqual([
      'limits.mode: no edges are configured, so nobody tells when a session ends: it counts for nothing',
    ]);
  });

  it('and that evict warn of edges that cannot be told to cut', () => {
    expect(warned({ ...enforce, over: 'evict' }, { listed, called, plain: {} })).toEqual([
      `edges.called: ${NOTHING_COUNTS}`,
      `edges.plain: ${NOTHING_COUNTS}, and nobody there can be evicted`,
    ]);
  });

  it('warn of nothing where nobody has a cap', () => {
    expect(warned(enforce, {}, {})).toEqual([]);
    expect(warned({ ...enforce, fromHeaders: true }, {}, {})).toHaveLength(1);
  });
});

it('limits that only observe warn of nothing', () => {
  expect(warned({}, { plain: {} })).toEqual([]);
});
