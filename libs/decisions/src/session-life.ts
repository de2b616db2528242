import type { Config } from '#usher/config';
import type { Presence } from '#usher/domain';

/** An edge may ask again so much later than it was told to, and a gateway may tell of it later still, ms. */
const ASKED_LATE = 60_000;
const MINUTE = 60_000;

/** How long a session is taken for alive after a sign of life, ms. */
export interface SessionLife {
  readonly lifeOf: (edge: string, presence: Presence) => number;
}

/**
 * A session that is seen lives for `gateway.seenLife`, or where its edge relies on an answer for longer, for the edge's
 * `ttl` and a minute, in whole minutes. One that is listed or assumed lives for `gateway.assumedLife`.
 */
export function sessionLife({ gateway, edges }: Pick<Config, 'gateway' | 'edges'>): SessionLife {
  const { seenLife, assumedLife } = gateway;
  const longer = new Map(
    Object.entries(edges)
      .map(([name, { ttl }]) => [name, Math.ceil((ttl + ASKED_LATE) / MINUTE) * MINUTE] as const)
      .filter(([, life]) => life > seenLife),
  );
  return {
    lifeOf: (edge, presence) => (presence === 'seen' ? (longer.get(edge) ?? seenLife) : assumedLife),
  };
}
