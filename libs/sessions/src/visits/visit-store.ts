import type { Check } from '#usher/domain';
import type { RedisClient, Sealer } from '#usher/redis';

/** The credentials that a viewer showed. Secrets. */
export type ShownBefore = Pick<Check, 'query' | 'token' | 'authorization'>;

/**
 * What viewers showed when they were let in, sealed, for the requests of theirs that show nothing (segments) and come to
 * another gateway. One small key for each, gone some minutes after the last request. Every method rejects while Redis is
 * away or late.
 */
export class VisitStore {
  constructor(
    private readonly redis: RedisClient,
    private readonly sealer: Sealer,
  ) {}

  /** Undefined: nobody was there, or what is there cannot be opened. */
  async find(visit: string): Promise<ShownBefore | undefined> {
    const key = visitKey(visit);
    const sealed = await this.redis.call('GET', [key]);
    const text = typeof sealed === 'string' ? this.sealer.open(sealed, key) : undefined;
    return text === undefined ? undefined : (JSON.parse(text) as ShownBefore);
  }

  /** Puts these in the place of what was there; `life`: ms. */
  async keep(visit: string, { query, token, authorization }: ShownBefore, life: number): Promise<void> {
    const key = visitKey(visit);
    const sealed = this.sealer.seal(JSON.stringify({ query, token, authorization }), key);
    await this.redis.call('SET', [key, sealed, 'PX', Math.max(1, Math.round(life))]);
  }
}

/** String: sealed credentials. */
const visitKey = (visit: string): string => `usher:visit:${visit}`;
