export { loadConfig } from './load-config.js';
export type { LoadConfigInput, LoadedConfig } from './load-config.js';
export { ConfigError } from './problem.js';
export { configSchema } from './schema.js';
export type {
  BackendConfig,
  BreakerConfig,
  Config,
  EdgeConfig,
  GatewayConfig,
  GroupConfig,
  GuardConfig,
  RedisConfig,
  RouteConfig,
} from './schema.js';
