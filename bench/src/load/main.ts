/** The generator's process: a job comes in, a report goes out. */
import type { LoadJob } from './load-job.js';
import { runLoad } from './run-load.js';

process.on('message', (job: LoadJob) => {
  runLoad(job).then(
    (report) => process.send?.({ report }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.message : String(error) }),
  );
});
process.on('disconnect', () => process.exit());
