import type { Clock } from '#usher/domain';
import { EdgeCutters, GivenUpCuts } from '#usher/sessions';
import type { ControlNode } from '../control-node.js';
import type { Queues } from '../queues/queues.js';
import { CutJob } from './cut-job.js';
import type { CutJobParts } from './cut-job.js';
import type { OnCut } from './cut-order.js';

/** What control's `Cutting` is provided by. */
export const CUTTING = Symbol('cutting');

/** What control has for cutting. */
export interface Cutting {
  readonly job: CutJob;
  /** Which edges can be told. */
  readonly cutters: EdgeCutters;
  readonly givenUp: GivenUpCuts;
}

type CuttingNode = Pick<ControlNode, 'config' | 'registry' | 'redis' | 'random' | 'log'> & {
  readonly clock: Clock;
};

/** Begins to work on orders to cut, of whichever control they are. It ends with the queues. */
export function openCutting(node: CuttingNode, queues: Pick<Queues, 'open'>, onResult: OnCut): Cutting {
  const { config, registry, redis, clock, random, log } = node;
  const read: CutJobParts['read'] = (name) => registry.read(name);
  const cutters = new EdgeCutters(config.edges, { clock, read });
  const givenUp = new GivenUpCuts(redis);
  const job = new CutJob({ queues, cutters, read, givenUp, clock, random, log, onResult });
  return { job, cutters, givenUp };
}
