import type { Session } from '#usher/domain';
import { revoking } from './revoking.js';

const session = { edge: 'astra-1', sessionId: '42', fingerprint: 'f' } as Session;

function world(redisIsLate = false) {
  const done: string[] = [];
  const revoke = revoking({
    registry: {
      revoke: async (_: unknown, reason: string) => {
        done.push(`revoked ${reason}`);
        return session;
      },
    } as never,
    denyViewer: async () => {
      if (redisIsLate) throw new Error('late');
      done.push('known no more');
    },
  });
  return { done, revoke };
}

describe('a session that is ended', () => {
  it('because its backend refuses it is first of a viewer who is known no more', async () => {
    const { done, revoke } = world();
    expect(await revoke(session, 'denied-on-recheck')).toBe(session);
    expect(done).toEqual(['known no more', 'revoked denied-on-recheck']);
  });

  it('is not, where its viewer could not be forgotten: it is asked about again', async () => {
    const { done, revoke } = world(true);
    await expect(revoke(session, 'denied-on-recheck')).rejects.toThrow('late');
    expect(done).toEqual([]);
  });

  it('by a kick stays that of a known viewer: a hold refuses him, not his backend', async () => {
    const { done, revoke } = world();
    await revoke(session, 'kicked');
    expect(done).toEqual(['revoked kicked']);
  });
});
