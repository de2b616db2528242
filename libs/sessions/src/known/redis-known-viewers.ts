import type { KnownGrant, KnownViewer, KnownViewers } from '#usher/domain';
import { decodeName, encodeName, isReplyError, knownKey, script, shardOf } from '#usher/redis';
import type { RedisClient } from '#usher/redis';

const REMEMBER = script(import.meta.url, './lua/remember-known-1.lua');

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
 * Whom each backend allowed lately, for the whole cluster: one small hash per backend and viewer key, which expires.
 * Grants are named by the first 16 characters of their fingerprint. Both methods reject while Redis is away or late; a
 * key that holds something else is no known viewer, and an error to `remember`.
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
    try {
      return readViewer(await this.redis.call('HGETALL', [this.#key(backend, viewerKey)]));
    } catch (error) {
      if (isReplyError(error, 'WRONGTYPE')) return undefined;
      throw error;
    }
  }

  async remember(backend: string, viewerKey: string, fingerprint: string, grant: KnownGrant): Promise<void> {
    await this.redis.run(
      REMEMBER,
      [this.#key(backend, viewerKey)],
      [
        encodeName(grant.user),
        encodeName(grant.sessionName),
        fingerprint.slice(0, SHORT_FINGERPRINT),
        Math.round(grant.authorizedUntil),
        Math.round(this.options.knownFor),
        MAX_GRANTS,
      ],
    );
  }

  #key(backend: string, viewerKey: string): string {
    return knownKey(shardOf(`${backend}/${viewerKey}`, this.options.shards), backend, viewerKey);
  }
}

/** HGETALL as a viewer; undefined for nothing and for garbage. Names stand encoded, as in keys. */
function readViewer(reply: unknown): KnownViewer | undefined {
  const fields = reply as readonly string[];
  const grants = new Map<string, number>();
  let user = '';
  let sessionName = '';
  let allowedAt = Number.NaN;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const field = fields[i]!;
    const value = fields[i + 1]!;
    if (field === 'user') user = decodeName(value);
    else if (field === 'name') sessionName = decodeName(value);
    else if (field === 'allowedAt') allowedAt = Number(value);
    else if (field.startsWith('g:')) {
      const authorizedUntil = Number(value.split('|')[0]);
      if (Number.isFinite(authorizedUntil)) grants.set(field.slice(2), authorizedUntil);
    }
  }
  return Number.isFinite(allowedAt) ? { user, sessionName, allowedAt, grants } : undefined;
}
