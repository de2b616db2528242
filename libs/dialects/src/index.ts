export { BadRequest } from './dialect.js';
export type {
  Dialect,
  DialectType,
  EdgeAnswer,
  EdgeFacts,
  EdgeQuestion,
  EdgeRequest,
  Visit,
} from './dialect.js';
export { DIALECTS } from './registry.js';
