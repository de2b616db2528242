import { connectRedis } from '#usher/redis';
import type { RedisProcess } from '#usher/testing';
import { OutageReports, OutageStore } from '#usher/sessions';
import type { OutageReport } from '#usher/sessions';

/** The reports in a test's Redis, as operators read them. */
export async function readOutages(redis: RedisProcess, backend: string) {
  const client = connectRedis({ url: redis.url, timeout: 5_000 });
  await client.ready();
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const reports = new OutageReports(new OutageStore(client), clock);
  return {
    /** The newest first. */
    all: async (): Promise<OutageReport[]> => {
      const listed = await reports.list([backend]);
      const found = await Promise.all(listed.map(({ id }) => reports.report(id)));
      return found.filter((report) => report !== undefined);
    },
    csv: async (id: string): Promise<string> => {
      let text = '';
      for await (const piece of (await reports.csv(id)) ?? []) text += piece;
      return text;
    },
    close: () => client.close(),
  };
}
