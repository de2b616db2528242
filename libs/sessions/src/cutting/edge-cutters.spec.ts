import { configSchema } from '#usher/config';
import { ManualClock, startFakeEdgeApi } from '#usher/testing';
import { EdgeCutters } from './edge-cutters.js';
import { aSession, patient } from './for-tests.js';

const parts = { clock: new ManualClock(), read: () => Promise.resolve(undefined), timeout: 5_000 };

function cutters(edges: Record<string, unknown>): EdgeCutters {
  return new EdgeCutters(configSchema.parse({ edges }).edges, parts);
}

describe('the edges', () => {
  it('are told each in its own way', async () => {
    const edge = await startFakeEdgeApi(({ line }) =>
      line === 'POST /control/' ? { status: 200, body: '{"sessions":[]}' } : { status: 200 },
    );
    const all = cutters({
      a: { control: { url: edge.url } },
      m: { control: { url: edge.url, type: 'mediamtx' } },
      h: { dialect: 'alta', control: { url: `${edge.url}/{session}`, type: 'http', method: 'PUT' } },
    });
    const sessionId = '7b0d5f3e-2c1a-4c56-9a77-1f2e3d4c5b6a';
    const results = ['a', 'm', 'h'].map((name) => all.cut(aSession({ edge: name, sessionId }), patient));
    expect(await Promise.all(results)).toEqual([{ kind: 'gone' }, { kind: 'cut' }, { kind: 'cut' }]);
    expect(edge.requests.map(({ line }) => line).sort()).toEqual([
      'POST /control/',
      `POST /v3/hlssessions/kick/${sessionId}`,
      `PUT /${sessionId}`,
    ]);
    await edge.stop();
  });

  it('are told of a page of sessions', async () => {
    const edge = await startFakeEdgeApi(({ line }) => ({ status: line.endsWith('/2') ? 404 : 200 }));
    const all = cutters({ h: { control: { url: `${edge.url}/{session}`, type: 'http' } } });
    const sessions = ['1', '2', '3'].map((sessionId) => aSession({ edge: 'h', sessionId }));
    expect(await all.cutAll('h', sessions, patient)).toEqual([
      { kind: 'cut' },
      { kind: 'gone' },
      { kind: 'cut' },
    ]);
    expect(edge.requests).toHaveLength(3);
    expect(await all.cutAll('plain', sessions, patient)).toMatchObject(
      sessions.map(() => ({ kind: 'cannot' })),
    );
    await edge.stop();
  });

  it('that are not configured for it cannot be told, and say so', async () => {
    const all = cutters({ plain: {}, alta: { dialect: 'alta', control: { url: 'http://127.0.0.1:1' } } });
    for (const edge of ['plain', 'alta', '10.0.0.9', 'constructor']) {
      expect(all.canCut(edge)).toBe(false);
      expect(await all.cut(aSession({ edge }), patient)).toEqual({
        kind: 'cannot',
        detail: `the edge ${edge} cannot be told to cut: edges.${edge}.control`,
      });
    }
    expect(cutters({ a: { control: { url: 'http://h' } } }).canCut('a')).toBe(true);
  });
});
