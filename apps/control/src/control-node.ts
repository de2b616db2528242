import type { ClusterNode } from '#usher/node';

/** What control needs of the cluster's node. */
export type ControlNode = Pick<
  ClusterNode,
  | 'id'
  | 'version'
  | 'config'
  | 'log'
  | 'random'
  | 'clock'
  | 'redis'
  | 'registry'
  | 'membership'
  | 'gates'
  | 'adapters'
  | 'known'
  | 'rules'
  | 'holds'
  | 'switches'
  | 'canaries'
  | 'refresh'
  | 'news'
  | 'limits'
  | 'denyViewer'
  | 'sealer'
  | 'bus'
  | 'questions'
  | 'backends'
  | 'settle'
  | 'events'
  | 'owed'
>;
