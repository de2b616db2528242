export type { Announcer } from './announcer.js';
export { clusterHolds } from './cluster-holds.js';
export type { ClusterHolds } from './cluster-holds.js';
export { readNodeMetrics } from './node-metrics.js';
export type { Role } from './peers.js';
export type { Settle } from './settlement.js';
export type { QuestionCodec } from './question-codec.js';
export { startNode } from './start-node.js';
export type { ClusterNode, NodeOptions } from './start-node.js';
