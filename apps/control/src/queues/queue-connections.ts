import { connectionFactory } from '#usher/redis';
import type { Connection, RedisSettings } from '#usher/redis';

/** Between two tries to find Redis again, at most, ms. */
const RECONNECT_WITHIN = 1_000;
/** A socket that owes a reply so long is dropped, ms; longer than a worker's blocking read (10 s at most). */
const SILENT_SOCKET = 15_000;

/**
 * BullMQ's own connections, apart from those that checks use. `adding` fails at once while Redis is away, for somebody
 * waits; `working` waits for Redis as long as it takes, and each worker makes a blocking copy of it by itself.
 */
export interface QueueConnections {
  readonly adding: Connection;
  readonly working: Connection;
  /** Closes them with what waits in them. The workers' copies are closed by BullMQ. */
  close(): void;
}

/** Connects in the background, for as long as it takes. Throws an Error that names the setting. */
export function openQueueConnections(settings: RedisSettings, id: string): QueueConnections {
  const open = connectionFactory(settings);
  const retryStrategy = (attempt: number): number => Math.min(attempt * 100, RECONNECT_WITHIN);
  const shared = { retryStrategy, sentinelRetryStrategy: retryStrategy, socketTimeout: SILENT_SOCKET };
  const adding = open({
    ...shared,
    connectionName: `usher-${id}-queues`,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
  });
  const working = open({ ...shared, connectionName: `usher-${id}-jobs`, maxRetriesPerRequest: null });
  for (const connection of [adding, working]) startConnecting(connection);
  return {
    adding,
    working,
    close: () => {
      adding.disconnect();
      working.disconnect();
    },
  };
}

/**
 * A lazy connection whose first try fails would be given up by BullMQ for ever, and so would each lazy copy of it: they
 * begin to connect when they are made, and BullMQ waits until they are ready.
 */
function startConnecting(connection: Connection): void {
  connection.options.lazyConnect = false;
  // Told by BullMQ, which listens too.
  connection.on('error', () => undefined);
  connection.connect().catch(() => undefined);
}
