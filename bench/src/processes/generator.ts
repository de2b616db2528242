import type { LoadJob, LoadReport } from '../load/load-job.js';
import { startNode } from './children.js';

/** The load generator, in a process of its own. One job at a time. */
export interface Generator {
  /** Rejects when an answer did not come, or one was a refusal: such a run measures nothing. */
  run(job: LoadJob): Promise<LoadReport>;
  stop(): Promise<void>;
}

export function startGenerator(): Generator {
  const child = startNode(new URL('../load/main.js', import.meta.url), []);
  return {
    run: async (job) => {
      const answer = child.message();
      child.process.send(job);
      const { report, error } = (await answer) as { report?: LoadReport; error?: string };
      if (report === undefined) throw new Error(error);
      if (report.refused > 0) throw new Error(`${report.refused} checks were not answered 200`);
      return report;
    },
    stop: () => child.kill(),
  };
}
