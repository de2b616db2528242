export type { RedisArg, RedisClient, RedisScript } from './client.js';
