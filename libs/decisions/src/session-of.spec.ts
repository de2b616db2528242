import { allow, ladderOf, sources } from '../test/ladder-world.js';
import { ASKED_AGAIN_AFTER, authorizedUntil } from './session-of.js';

it('a session holds no password of an Xtream panel’s viewer, and the question does', async () => {
  const world = ladderOf();
  await sources(world, { path: '/live/anna/s3cret/17.ts', query: '' });
  expect([...world.kept.sessions()][0]!.path).toBe('/live/anna/***/17.ts');
  expect(world.told.busQuestions[0]!.check.path).toBe('/live/anna/s3cret/17.ts');
});

it('a session holds the path alone, though an edge sends the query with it: that is a secret', async () => {
  const world = ladderOf();
  await sources(world, { path: '/play/a001/index.m3u8?token=s3cret' });
  expect([...world.kept.sessions()][0]!.path).toBe('/play/a001/index.m3u8');
  expect(world.told.busQuestions[0]!.check.path).toContain('?token=s3cret');
});

it.each([
  ['the answer’s end, on an edge that asks once', { until: 5_000_000 }, 'once', 5_000_000],
  ['its end, where that comes first', { until: 1_010_000 }, 'again', 1_010_000],
  ['the usual time, where that comes first', { until: 5_000_000 }, 'again', 1_000_000 + ASKED_AGAIN_AFTER],
  ['its end, whatever X-AuthDuration says', { until: 1_010_000, authDuration: 60 }, 'once', 1_010_000],
  ['X-AuthDuration, where that comes first', { until: 5_000_000, authDuration: 60 }, 'once', 1_060_000],
  ['X-AuthDuration alone', { authDuration: 60 }, 'once', 1_060_000],
  ['nothing', {}, 'once', 0],
] as const)('a session is authorized until %s', (_name, answer, habit, at) => {
  expect(authorizedUntil(allow(answer), habit, true, 1_000_000)).toBe(at);
});
