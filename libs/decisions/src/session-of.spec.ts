import { ladderOf, sources } from '../test/ladder-world.js';

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
