export { createLogger } from './logs/logger.js';
export type { Logger, LoggerOptions, LogSettings } from './logs/logger.js';
export { maskQuery, maskText } from './logs/mask.js';
export { NestLog } from './logs/nest-log.js';
export { ThrottledLog } from './logs/throttled-log.js';
export type { ThrottleOptions } from './logs/throttled-log.js';
