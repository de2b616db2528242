export { checkRedis } from './check-redis.js';
export type { RedisFinding } from './check-redis.js';
export type { RedisArg, RedisClient, RedisScript } from './client.js';
export { connectionFactory } from './connection-factory.js';
export type { OpenConnection } from './connection-factory.js';
export { ClusterClock } from './cluster-clock.js';
export type { ClusterClockOptions } from './cluster-clock.js';
export { connectRedis, isReplyError } from './connect-redis.js';
export type { ConnectOptions } from './connect-redis.js';
export { startEmbeddedRedis } from './embedded.js';
export type { EmbeddedRedis, EmbeddedRedisOptions } from './embedded.js';
export { RedisAwayError, RedisTimeoutError } from './errors.js';
export {
  AUDIT,
  EPOCH,
  aliveKey,
  allParts,
  breakerKey,
  canaryKey,
  channelKey,
  crc16,
  decodeName,
  encodeName,
  eventsKey,
  knownKey,
  partOf,
  sessionKey,
  shardOf,
  suspectKey,
  userKey,
  whereKey,
  whyAddressKey,
  whyKindKey,
  whyListsKey,
  whyNotableKey,
  whyUserKey,
} from './key-names.js';
export { newestFirst, positionText, readPosition } from './newest-first.js';
export type { NewestFirst, ShardEntry, StreamPosition } from './newest-first.js';
export type { Connection, RedisSettings } from './options.js';
export { createSealer } from './sealer.js';
export type { Sealer } from './sealer.js';
export { script } from './script.js';
