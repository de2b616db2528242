import { setTimeout as delay } from 'node:timers/promises';
import type { RunningRole, Runtime } from './role.js';
import type { RoleTable } from './start.js';

/** The processes' composition roots, as roles of this one; what a role does not need is not loaded for it. */
export const ROLES: RoleTable = {
  gateway: async ({ cluster, metrics }: Runtime): Promise<RunningRole> => {
    const { startGateway } = await import('../../gateway/src/gateway.js');
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
  worker: async ({ cluster, metrics }: Runtime): Promise<RunningRole> => {
    const { startWorker } = await import('../../worker/src/worker.js');
    return startWorker(cluster, metrics);
  },
  control: async ({ cluster, metrics }: Runtime): Promise<RunningRole> => {
    const { startControl } = await import('../../control/src/control.js');
    return startControl({ node: cluster, metrics });
  },
};
