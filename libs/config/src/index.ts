export { parseAccount } from './accounts.js';
export type { Account, ScryptHash, TokenHash } from './accounts.js';
export { bodyForm, parseTemplate, readHeaderLine } from './call-template.js';
export type { Placeholder, TemplatePart } from './call-template.js';
export { controlTypeOf } from './control-checks.js';
export type { ControlConfig, ControlType } from './control-checks.js';
export { loadConfig } from './load-config.js';
export type { LoadConfigInput, LoadedConfig } from './load-config.js';
export { ConfigError } from './problem.js';
export { exampleFile } from './example.js';
export { maskConfig } from './mask.js';
export { hasTarget } from './rule-checks.js';
export type {
  CountriesRuleConfig,
  IpRuleConfig,
  JwtRuleConfig,
  ReferersRuleConfig,
  RulesConfig,
  SecuretokenRuleConfig,
  UserAgentsRuleConfig,
  UsersRuleConfig,
} from './rules-schema.js';
export { configSchema, webhookSchema } from './schema.js';
export { withSettings } from './settings-table.js';
export { showDuration, showSize } from './units.js';
export type {
  AdminTokenConfig,
  BackendConfig,
  BreakerConfig,
  CanariesConfig,
  CanaryConfig,
  Config,
  EdgeConfig,
  ForwardConfig,
  GatewayConfig,
  WhyConfig,
  GroupConfig,
  GuardConfig,
  RedisConfig,
  RouteConfig,
  WebhookConfig,
} from './schema.js';
