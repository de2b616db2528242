import { crossCheck } from './cross-checks.js';
import { configSchema } from './schema.js';

const problemsOf = (backend: object): string[] =>
  crossCheck(
    configSchema.parse({
      backends: { portal: { type: 'http', url: 'http://portal.example.com', ...backend } },
    }),
  ).map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('settings about outages', () => {
  it('are by default: no limit of letting in on trust, and a report afterwards', () => {
    const { backends } = configSchema.parse({
      backends: { portal: { type: 'ministra', url: 'http://portal.example.com' } },
    });
    const { maxOutage, failOpenBudget, afterOutage } = backends['portal']!;
    expect([maxOutage, failOpenBudget, afterOutage]).toEqual([undefined, undefined, 'report']);
    expect(problemsOf({})).toEqual([]);
  });

  it('refuse to cut where nobody can be asked about again', () => {
    expect(problemsOf({ afterOutage: 'cut' })).toEqual([
      'backends.portal.afterOutage: cut asks about a session again, which needs credential: reusable',
    ]);
    expect(problemsOf({ afterOutage: 'cut', credential: 'reusable' })).toEqual([]);
  });

  it('recycle whose credentials are good once, gently, where an edge can be told to cut', () => {
    const control = { url: 'http://127.0.0.1:8000', user: 'u', password: 'p' };
    const recycling = (backend: object, edges: object): string[] =>
      crossCheck(
        configSchema.parse({
          edges,
          backends: {
            portal: {
              type: 'ministra',
              url: 'http://portal.example.com',
              afterOutage: 'recycle',
              ...backend,
            },
          },
        }),
      ).map(({ message }) => message);
    expect(recycling({}, { 'astra-1': { control } })).toEqual([]);
    expect(recycling({}, { 'astra-1': {} })).toEqual([expect.stringContaining('edges.<name>.control')]);
    expect(recycling({ credential: 'reusable' }, { 'astra-1': { control } })).toEqual([
      expect.stringContaining('credential: once'),
    ]);
    const { backends } = configSchema.parse({
      backends: { portal: { type: 'http', url: 'http://portal.example.com' } },
    });
    expect(backends['portal']!.recyclePace).toBe(2);
  });

  it('ask again at a pace that a small backend bears, or a faster one', () => {
    const paceOf = (backend: object): number =>
      configSchema.parse({
        backends: { portal: { type: 'http', url: 'http://portal.example.com', ...backend } },
      }).backends['portal']!.recheckPace;
    expect([paceOf({}), paceOf({ recheckPace: 500 })]).toEqual([50, 500]);
    expect(() => paceOf({ recheckPace: 0 })).toThrow(/recheckPace/);
  });

  it('refuse a budget of nothing, and announce one unless it is to be enforced', () => {
    expect(problemsOf({ failOpenBudget: { enforce: true } })).toEqual([
      'backends.portal.failOpenBudget: a budget has viewers, viewerMinutes, or both',
    ]);
    expect(problemsOf({ failOpenBudget: { viewers: 5 } })).toEqual([]);
    const { backends } = configSchema.parse({
      backends: {
        portal: {
          type: 'http',
          url: 'http://portal.example.com',
          maxOutage: '6h',
          failOpenBudget: { viewers: 5 },
        },
      },
    });
    expect(backends['portal']).toMatchObject({
      maxOutage: 21_600_000,
      failOpenBudget: { viewers: 5, enforce: false },
    });
  });
});
