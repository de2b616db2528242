export type { RedisArg, RedisClient, RedisScript } from './client.js';
export { connectRedis, isReplyError } from './connect-redis.js';
export type { ConnectOptions } from './connect-redis.js';
export { RedisAwayError, RedisTimeoutError } from './errors.js';
export {
  CONTROL,
  EPOCH,
  HOLDS,
  aliveKey,
  breakerKey,
  busKey,
  channelKey,
  crc16,
  decodeName,
  encodeName,
  eventsKey,
  knownKey,
  nodeKey,
  sessionKey,
  shardOf,
  userKey,
  whereKey,
} from './key-names.js';
export type { RedisSettings } from './options.js';
export { script } from './script.js';
