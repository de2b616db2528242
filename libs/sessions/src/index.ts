export { RedisSessionRegistry } from './registry/redis-session-registry.js';
export type { CloseOptions, Opened, RegistryOptions } from './registry/redis-session-registry.js';
export { RegistryError } from './registry/registry-error.js';
