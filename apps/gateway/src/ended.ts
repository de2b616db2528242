import type { RedisSessionRegistry } from '#usher/sessions';

/** Closes the sessions that an edge says are over. Those of nobody are none of its business. Rejects as Redis does. */
export function endedByEdge(
  registry: RedisSessionRegistry,
): (edge: string, sessionIds: readonly string[]) => Promise<void> {
  return async (edge, sessionIds) => {
    for (const sessionId of sessionIds) {
      const session = await registry.read({ edge, sessionId });
      if (session === undefined) continue;
      await registry.close(session, 'closed-by-edge', { fingerprint: session.fingerprint });
    }
  };
}
