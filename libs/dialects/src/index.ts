export { BadRequest } from './dialect.js';
export type { Dialect, EdgeAnswer, EdgeFacts, EdgeRequest } from './dialect.js';
export { DIALECTS } from './registry.js';
