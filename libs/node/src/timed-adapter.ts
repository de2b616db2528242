import type { Adapter } from '#usher/backends';
import type { Latency } from '#usher/observe';

/** Notes how long the backend took for each call, by the adapter's own watch. What was cancelled is not its time. */
export function timedAdapter(adapter: Adapter, duration: Latency): Adapter {
  return {
    name: adapter.name,
    sees: adapter.sees,
    questionKey: (check) => adapter.questionKey(check),
    ask: async (check, options) => {
      const answer = await adapter.ask(check, options);
      duration.observe(answer.tookMs);
      return answer;
    },
    close: () => adapter.close(),
  };
}
