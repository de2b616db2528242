export { eventually } from './eventually.js';
export type { EventuallyOptions } from './eventually.js';
export { freePort } from './free-port.js';
export { ManualClock } from './manual-clock.js';
export { startRedisCluster } from './redis-cluster.js';
export type { RedisClusterProcess } from './redis-cluster.js';
export { startRedis } from './redis-process.js';
export type { RedisProcess, RedisProcessOptions } from './redis-process.js';
