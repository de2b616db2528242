import { readFileSync } from 'node:fs';
import { type Dispatcher, Pool } from 'undici';
import type { BackendConfig } from '#usher/config';
import type { Clock } from '#usher/domain';
import { exchange, type Get, type Reply } from './exchange.js';
import { ExchangeFailed } from './exchange-error.js';
import { Line } from './line.js';

/** A larger body is cut; where the body was needed, the answer is oversized. Bytes. */
export const MAX_BODY = 64 * 1024;
/** Larger answer headers, all together, are oversized. Bytes. */
export const MAX_HEADERS = 16 * 1024;
/** An idle connection is closed after it (ms), unless the server names another time; never later than the second. */
const KEEP_ALIVE = 4_000;
const KEEP_ALIVE_MAX = 60_000;

/** Speaks HTTP/1.1 with one backend over kept connections. Redirects are never followed. */
export interface Caller {
  /** Rejects with ExchangeFailed or CallCancelled. */
  get(get: Get, timeoutMs: number, signal?: AbortSignal): Promise<Reply>;
  /** Cuts what is still under way. */
  close(): Promise<void>;
}

export type CallerConfig = Pick<BackendConfig, 'ca' | 'insecure' | 'timeout'>;

/** Throws if the CA file cannot be read. */
export function createCaller(origin: string, config: CallerConfig, clock: Clock): Caller {
  const options: Pool.Options = {
    // As many as there are calls: the bulkhead bounds them, and what is only observed is kept back by nothing of ours.
    connections: null,
    pipelining: 1,
    maxHeaderSize: MAX_HEADERS,
    maxResponseSize: MAX_BODY,
    keepAliveTimeout: KEEP_ALIVE,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX,
    // One timer of our own spans all phases of a call (exchange.ts); undici's are coarse, a second or so.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: config.timeout,
      rejectUnauthorized: !config.insecure,
      ...(config.ca === undefined ? {} : { ca: readFileSync(config.ca) }),
    },
    factory: (url: URL, clientOptions: object) => new Line(url, clientOptions),
  };
  const kept = new Pool(origin, options);
  // Connections that are never reused, for the one repetition of a call that a stale connection lost.
  const fresh = new Pool(origin, { ...options, pipelining: 0 });

  return {
    async get(get, timeoutMs, signal) {
      const startedAt = clock.monotonic();
      try {
        return await exchange(kept, get, timeoutMs, signal);
      } catch (error) {
        if (!isStale(error)) throw error;
        return await exchange(fresh, get, timeoutMs - (clock.monotonic() - startedAt), signal);
      }
    },
    async close() {
      await Promise.all([destroy(kept), destroy(fresh)]);
    },
  };
}

/**
 * A kept connection that the server closed just as we wrote: not a byte of an answer came, so the question, a GET,
 * is asked once more. A new connection that breaks is a failure: asking again would only double the load.
 */
function isStale(error: unknown): boolean {
  return (
    error instanceof ExchangeFailed &&
    error.how === 'broken' &&
    error.phase === 'headers' &&
    error.reused &&
    ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(error.code)
  );
}

async function destroy(pool: Dispatcher): Promise<void> {
  await pool.destroy();
}
