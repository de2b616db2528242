import { createHash } from 'node:crypto';
import { allow, ladderOf, unavailable } from '../test/ladder-world.js';
import { sooner } from './jitter.js';

/** Viewers who come in one moment, each with a credential and an address of his own. */
const viewers = Array.from({ length: 300 }, (_, i) => ({
  sessionId: `${i}`,
  query: `token=${createHash('sha256').update(`${i}`).digest('hex')}`,
  ip: `192.0.2.${i % 250}`,
}));

const spreadOf = (times: readonly number[]) => ({
  least: Math.min(...times),
  most: Math.max(...times),
  different: new Set(times).size,
});

describe('what is promised together does not end together', () => {
  it('is at most a tenth shorter, never longer, and the same for the same session', () => {
    expect(sooner(180_000, 'aaaaaaaa')).toBe(180_000);
    expect(sooner(180_000, '77777777')).toBeGreaterThanOrEqual(162_000);
    expect(sooner(180_000, 'q2w3e4r5')).toBe(sooner(180_000, 'q2w3e4r5'));
    expect(sooner(60_000, '')).toBe(60_000);
  });

  it('the time after which an allow without X-AuthDuration is asked about again', async () => {
    const world = ladderOf();
    world.said.answer = allow();
    for (const viewer of viewers)
      await world.ladder.decide({ ...world.context(viewer), habit: 'again', asksAgainWithin: 180_000 });
    const now = world.clock.now();
    const { least, most, different } = spreadOf(
      [...world.kept.sessions()].map(({ authorizedUntil }) => authorizedUntil - now),
    );
    expect(least).toBeGreaterThanOrEqual(162_000);
    expect(least).toBeLessThan(167_000);
    expect(most).toBeLessThanOrEqual(180_000);
    expect(most).toBeGreaterThan(175_000);
    expect(different).toBeGreaterThan(250);
  });

  it('and takes nothing from a credential while nobody can be asked', async () => {
    const world = ladderOf({ failMode: 'closed', credential: 'reusable' });
    world.said.answer = allow();
    const comes = (viewer: object, sessionId: string) =>
      world.ladder.decide({
        ...world.context({ ...viewer, sessionId }),
        habit: 'again',
        asksAgainWithin: 180_000,
      });
    for (const viewer of viewers) await comes(viewer, viewer.sessionId);
    world.said.answer = unavailable('backend');
    world.clock.advance(179_000);
    for (const viewer of viewers) {
      const { decision } = await comes(viewer, `${viewer.sessionId}-again`);
      expect(decision).toMatchObject({ allow: true, source: 'stale' });
    }
    world.clock.advance(1_000);
    const { decision } = await comes(viewers[0]!, 'later');
    expect(decision).toMatchObject({ allow: false, source: 'fail-closed' });
  });

  it('the time for which something stands in for a decision', async () => {
    const world = ladderOf();
    world.said.answer = unavailable('backend');
    const now = world.clock.monotonic();
    const untils: number[] = [];
    for (const viewer of viewers) {
      const { kept } = await world.ladder.decide(world.context(viewer));
      untils.push(kept!.until - now);
    }
    const { least, most, different } = spreadOf(untils);
    expect(least).toBeGreaterThanOrEqual(54_000);
    expect(most).toBeLessThanOrEqual(60_000);
    expect(different).toBeGreaterThan(200);
  });
});
