export { createRules } from './create-rules.js';
export type { RulesParts, RunningRules } from './create-rules.js';
export { accountLine } from './users/account-line.js';
export type { AccountLine } from './users/account-line.js';
