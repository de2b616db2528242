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
