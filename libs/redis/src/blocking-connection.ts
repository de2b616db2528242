import { openConnection, readTarget } from './options.js';
import type { Connection, RedisSettings } from './options.js';

export interface BlockingOptions {
  /** Shown by CLIENT LIST. Default `usher-blocking`. */
  readonly name?: string;
  /** The longest BLOCK that the owner uses, ms; a socket silent a second longer is dropped and opened anew. Default 5,000. */
  readonly maxBlockMs?: number;
  /** Why the connection was lost, for people; it comes back by itself. */
  readonly onTrouble?: (why: string) => void;
}

/** The longest wait between two tries to connect, ms. */
const RETRY_AT_MOST = 250;

/**
 * A connection for blocking reads of one owner; never shared, for one blocked command blocks all behind it. A read
 * that is interrupted is sent again once Redis is back, however long that takes: what is read this way must bear that.
 * `disconnect()` ends it and rejects what waits.
 */
export function blockingConnection(settings: RedisSettings, options: BlockingOptions = {}): Connection {
  const { name = 'usher-blocking', maxBlockMs = 5_000, onTrouble } = options;
  if (!(maxBlockMs > 0))
    throw new Error('maxBlockMs: more than 0; a BLOCK of 0 cannot tell a dead Redis from a quiet one');
  const connection = openConnection(readTarget(settings), {
    connectionName: name,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(RETRY_AT_MOST, 25 * times),
    sentinelRetryStrategy: () => RETRY_AT_MOST,
    socketTimeout: maxBlockMs + 1_000,
    connectTimeout: 2_000,
    disconnectTimeout: 1,
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
  });
  // A listener must be there: ioredis prints errors that nobody listens for.
  connection.on('error', (error: Error) => onTrouble?.(error.message));
  connection.connect().catch(() => undefined);
  return connection;
}
