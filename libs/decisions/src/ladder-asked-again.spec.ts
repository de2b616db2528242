import type { Check } from '#usher/domain';
import { allow, deny, ladderOf, type World } from '../test/ladder-world.js';

/** What a Flussonic is told at most, ms. */
const TTL = 180_000;
const HOUR = 3_600_000;

/** As an edge asks that was told to ask again. */
async function ask(world: World, part: Partial<Check> = {}): Promise<string> {
  const context = { ...world.context(part), habit: 'again', opensWhenAlone: false } as const;
  const { decision } = await world.ladder.decide({ ...context, asksAgainWithin: TTL });
  return `${decision.allow ? 'allow' : 'deny'} ${decision.reason}`;
}

describe('a session of Ministra at an edge that asks again', () => {
  const opened = async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = allow({ authDuration: 36_000, user: 'anna' });
    expect(await ask(world)).toBe('allow backend-allowed');
    // The link dies 5 s after it was made.
    world.said.answer = deny();
    return world;
  };

  it('plays for a day with one question in the 36000 s that its answer holds, and is not cut after them', async () => {
    const world = await opened();
    for (let at = TTL; at < 10 * HOUR; at += TTL) {
      world.clock.advance(TTL);
      expect(await ask(world)).toMatch(/^allow /);
    }
    expect(world.told.busQuestions).toHaveLength(1);
    for (let at = 10 * HOUR; at < 24 * HOUR; at += TTL) {
      world.clock.advance(TTL);
      expect(await ask(world)).toBe('allow session-extended');
    }
    // Each further one would be a refusal of a known viewer, which a backend is watched for.
    expect(world.told.busQuestions).toHaveLength(1);
    expect(world.told.opened.at(-1)).toMatchObject({ sessionId: '42', user: 'anna', state: 'unconfirmed' });
  });

  it('with a new link is asked about: that is another question', async () => {
    const world = await opened();
    world.clock.advance(10 * HOUR + TTL);
    expect(await ask(world, { query: 'token=456' })).toBe('deny backend-denied');
    expect(world.told.busQuestions).toHaveLength(2);
  });

  it('is asked about where its route now names another backend', async () => {
    const world = await opened();
    const session = { ...[...world.kept.sessions()][0]!, backend: 'another' };
    const other = ladderOf({ type: 'ministra' });
    other.clock.advance(10 * HOUR + TTL);
    other.said.found = { kind: 'same', session };
    other.said.answer = deny();
    await ask(other);
    expect(other.told.busQuestions).toHaveLength(1);
  });

  it('plays on past them through a gateway that knows it from Redis alone', async () => {
    const world = await opened();
    const session = world.told.opened[0] ?? [...world.kept.sessions()][0]!;
    const other = ladderOf({ type: 'ministra' });
    other.clock.advance(10 * HOUR + TTL);
    other.said.found = { kind: 'same', session };
    other.said.answer = deny();
    expect(await ask(other)).toBe('allow session-extended');
    expect(other.told.busQuestions).toEqual([]);
  });

  it('left for another channel is another session, which is asked about by itself', async () => {
    const world = await opened();
    world.clock.advance(40_000);
    world.said.answer = allow({ authDuration: 36_000, user: 'anna' });
    const next = { sessionId: '43', channel: 'a002', query: 'token=456' };
    expect(await ask(world, next)).toBe('allow backend-allowed');
    expect(world.told.busQuestions.map(({ check }) => check.channel)).toEqual(['a001', 'a002']);
    world.said.answer = deny();
    world.clock.advance(TTL);
    expect(await ask(world, next)).toMatch(/^allow /);
    // Back again: with the link of then, in a new session.
    expect(await ask(world, { sessionId: '44' })).toBe('deny backend-denied');
  });
});

describe('a viewer who paused for longer than his session lives', () => {
  const paused = async () => {
    const world = ladderOf({ type: 'ministra' });
    world.said.answer = allow({ authDuration: 36_000, user: 'anna' });
    await ask(world);
    // The link is dead, and the session was swept.
    world.said.answer = deny();
    world.clock.advance(HOUR);
    world.kept.idled('astra-1', '42');
    return world;
  };

  it('comes back to his gateway and plays, with a session that is written back at once', async () => {
    const world = await paused();
    expect(await ask(world)).toBe('allow session-known');
    expect(world.told.busQuestions).toHaveLength(1);
    const back = world.told.opened.at(-1)!;
    expect(back).toMatchObject({ sessionId: '42', user: 'anna', state: 'active', presence: 'seen' });
    expect(back.aliveUntil).toBe(world.clock.now() + 240_000);
    world.clock.advance(TTL);
    expect(await ask(world)).toBe('allow session-known');
    expect(world.told.busQuestions).toHaveLength(1);
  });

  it('plays on though the time of his allow is up too', async () => {
    const world = await paused();
    world.clock.advance(10 * HOUR);
    expect(await ask(world)).toBe('allow session-extended');
    expect(world.told.opened.at(-1)).toMatchObject({ sessionId: '42', state: 'unconfirmed' });
  });

  it('plays on while Redis is away', async () => {
    const world = await paused();
    world.said.found = new Error('away');
    expect(await ask(world)).toBe('allow session-known');
  });

  it('does not where he was kicked since, though nobody told this gateway', async () => {
    const world = await paused();
    world.said.found = { kind: 'none', revokedAt: world.clock.now() - HOUR / 2 };
    expect(await ask(world)).toBe('deny backend-denied');
  });
});

describe('a session that was revoked, at an edge that asks again', () => {
  const revoked = async () => {
    const world = ladderOf({ credential: 'reusable' });
    world.said.answer = allow({ authDuration: 36_000, user: 'anna' });
    await ask(world);
    const session = world.told.opened[0] ?? [...world.kept.sessions()][0]!;
    world.kept.dropNamed('astra-1', '42');
    const revokedAt = world.clock.now();
    world.said.found = { kind: 'revoked', session: { ...session, state: 'revoked' }, revokedAt };
    return world;
  };

  it('is refused at the next question, though its hold is over and its backend allows it', async () => {
    const world = await revoked();
    world.clock.advance(TTL);
    expect(await ask(world)).toBe('deny held-refused');
  });

  it('is refused likewise where it was closed since', async () => {
    const world = await revoked();
    world.said.found = { kind: 'none', revokedAt: world.clock.now() };
    world.clock.advance(TTL);
    expect(await ask(world)).toBe('deny held-refused');
  });

  it('may come back once its edge must have heard of it', async () => {
    const world = await revoked();
    world.clock.advance(TTL + 20_000);
    expect(await ask(world)).toBe('allow answer-shared');
  });

  it('keeps no other session of its user out', async () => {
    const world = await revoked();
    world.clock.advance(TTL);
    world.said.found = { kind: 'none' };
    expect(await ask(world, { sessionId: '43' })).toBe('allow answer-shared');
  });
});
