import { setTimeout as delay } from 'node:timers/promises';
import { startControl } from '../../control/src/control.js';
import { startGateway } from '../../gateway/src/gateway.js';
import { startWorker } from '../../worker/src/worker.js';
import type { RunningRole, Runtime } from './role.js';
import type { RoleTable } from './start.js';

/** The processes' composition roots, as roles of this one. */
export const ROLES: RoleTable = {
  gateway: async ({ cluster, metrics }: Runtime): Promise<RunningRole> => {
    const gateway = await startGateway({ node: cluster, metrics });
    return {
      health: gateway.health,
      close: async ({ drainMs }) => {
        gateway.drain();
        await delay(drainMs);
        await gateway.close();
      },
    };
  },
  worker: ({ cluster, metrics }: Runtime): Promise<RunningRole> => startWorker(cluster, metrics),
  control: ({ cluster, metrics }: Runtime): Promise<RunningRole> => startControl({ node: cluster, metrics }),
};
