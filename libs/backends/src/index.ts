export type { Adapter, AskOptions, Input } from './adapters/adapter.js';
export { createAdapter } from './adapters/create-adapter.js';
export { askGroup } from './group.js';
export type { GroupMember } from './group.js';
export { CallCancelled } from './http/exchange-error.js';
