import type { KnownGrant, KnownViewer, KnownViewers } from '#usher/domain';
import { encodeName, isReplyError, knownKey, partOf, script, shardOf } from '#usher/redis';
import type { RedisClient } from '#usher/redis';
import { readEntry } from './known-entry.js';

const REMEMBER = script(import.meta.url, './lua/remember-known-1.lua');
const FIND = script(import.meta.url, './lua/find-known-1.lua');

/** So many grants of one viewer are remembered: the newest. */
const MAX_GRANTS = 8;
/** Of a fingerprint: 80 bits tell one viewer's few grants apart. */
const SHORT_FINGERPRINT = 16;

export interface KnownViewersOptions {
  /** `redis.shards`: the same in every process. */
  readonly shards: number;
  /** A viewer allowed within this time is a known viewer, ms. */
  readonly knownFor: number;
}

/**
 * Whom each backend allowed lately, for the whole cluster: one short text per backend and viewer key, many in one hash,
 * since a key for each would cost more than what is in it. Grants are named by the first 16 characters of their
 * fingerprint. Both methods reject while Redis is away or late; a key that holds something else is no known viewer, and
 * an error to `remember`.
 */
export class RedisKnownViewers implements KnownViewers {
  constructor(
    private readonly redis: RedisClient,
    private readonly options: KnownViewersOptions,
  ) {
    if (!(options.shards >= 1)) throw new RangeError(`redis.shards: at least 1, not ${options.shards}`);
    if (!(options.knownFor >= 1)) throw new RangeError(`knownFor: at least 1 ms, not ${options.knownFor}`);
  }

  async find(backend: string, viewerKey: string): Promise<KnownViewer | undefined> {
    const key = this.#keyOf(backend, viewerKey);
    try {
      const reply = await this.redis.run(FIND, [key], [encodeName(viewerKey), this.#knownFor]);
      return typeof reply === 'string' ? readEntry(reply) : undefined;
    } catch (error) {
      if (isReplyError(error) && error.message.includes('WRONGTYPE')) return undefined;
      throw error;
    }
  }

  async remember(backend: string, viewerKey: string, fingerprint: string, grant: KnownGrant): Promise<void> {
    await this.redis.run(
      REMEMBER,
      [this.#keyOf(backend, viewerKey)],
      [
        encodeName(viewerKey),
        encodeName(grant.user),
        grant.sessionName === grant.user ? '' : encodeName(grant.sessionName),
        encodeName(fingerprint.slice(0, SHORT_FINGERPRINT)),
        Math.round(grant.authorizedUntil),
        this.#knownFor,
        MAX_GRANTS,
      ],
    );
  }

  get #knownFor(): number {
    return Math.round(this.options.knownFor);
  }

  #keyOf(backend: string, viewerKey: string): string {
    const { shards } = this.options;
    const name = `${backend}/${viewerKey}`;
    return knownKey(shardOf(name, shards), backend, partOf(name, shards));
  }
}
