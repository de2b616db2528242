import { randomBytes } from 'node:crypto';
import type { Cluster, Redis, RedisOptions } from 'ioredis';

/** `commands` are answered at once; `blocking` waits for requests or replies; `events` tails the events stream. */
export type ConnectionRole = 'commands' | 'blocking' | 'events';

export type BusRedis = Redis | Cluster;

/** Makes a new connection at each call; the bus owns it, and closes it. See `BUS_REDIS_OPTIONS`. */
export type ConnectionFactory = (role: ConnectionRole) => BusRedis;

/**
 * What a connection of the bus must have (checked where it is used): reconnecting for ever with a short backoff, and no
 * queue whose commands would be executed when nobody waits for them any more. Spread it into your own options; for a
 * Cluster into `redisOptions`.
 */
export const BUS_REDIS_OPTIONS = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 1000,
  disconnectTimeout: 1,
  retryStrategy: (times: number): number => Math.min(25 * times, 250),
  // A failover has left us at a replica: ask anew who the master is.
  reconnectOnError: (error: Error): boolean => error.message.startsWith('READONLY'),
} as const satisfies RedisOptions;

export interface BusOptions {
  readonly connect: ConnectionFactory;
  /** Time that all processes agree on, ms since 1970. Default: this machine's clock. */
  readonly now?: () => number;
  /** This process, unique in the cluster; [A-Za-z0-9._@-], up to 64. Default: a random one. */
  readonly id?: string;
  /** First part of every key. Default `usher`. */
  readonly prefix?: string;
  /** A command that takes longer has failed, ms. Default 250. */
  readonly commandTimeoutMs?: number;
  /** `connect()` and `listen()` wait this long for Redis, ms. Default 3,000. */
  readonly connectTimeoutMs?: number;
  /** The events stream keeps about this many. Default 10,000. */
  readonly maxEvents?: number;
}

export type CheckedBusOptions = Required<BusOptions>;

/** Fills in the defaults. Throws TypeError for what cannot work. */
export function checkBusOptions(options: BusOptions): CheckedBusOptions {
  if (typeof options?.connect !== 'function') throw new TypeError('bus: connect must be a function');
  const checked = {
    connect: options.connect,
    now: options.now ?? Date.now,
    id: options.id ?? randomId(),
    prefix: options.prefix ?? 'usher',
    commandTimeoutMs: options.commandTimeoutMs ?? 250,
    connectTimeoutMs: options.connectTimeoutMs ?? 3000,
    maxEvents: options.maxEvents ?? 10_000,
  };
  if (!/^[\w.@-]{1,64}$/.test(checked.id)) throw new TypeError('bus: id must be 1 to 64 of [A-Za-z0-9._@-]');
  if (!/^[\w.@:-]{1,64}$/.test(checked.prefix))
    throw new TypeError('bus: prefix must be 1 to 64 of [A-Za-z0-9._@:-]');
  checkPositive(checked, ['commandTimeoutMs', 'connectTimeoutMs', 'maxEvents']);
  return checked;
}

/** Throws TypeError unless all named values are whole numbers above zero. */
export function checkPositive<T extends object>(values: T, names: readonly (keyof T & string)[]): void {
  for (const name of names) {
    const value = values[name];
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      throw new TypeError(`bus: ${name} must be a whole number above 0, not ${String(value)}`);
    }
  }
}

export const randomId = (): string => randomBytes(9).toString('base64url');
