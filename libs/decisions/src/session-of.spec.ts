import { ladderOf, sources } from '../test/ladder-world.js';

it('a session holds the path alone, though an edge sends the query with it: that is a secret', async () => {
  const world = ladderOf();
  await sources(world, { path: '/play/a001/index.m3u8?token=s3cret' });
  expect([...world.kept.sessions()][0]!.path).toBe('/play/a001/index.m3u8');
  expect(world.told.busQuestions[0]!.check.path).toContain('?token=s3cret');
});
