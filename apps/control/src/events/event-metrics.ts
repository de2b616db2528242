import { METRICS, type Metrics } from '#usher/observe';
import type { ControlEvents } from './control-events.js';

/** What happens to events and webhooks, as far as this process has to do with it. */
export function readEventMetrics({ job, webhooks }: ControlEvents, metrics: Metrics): void {
  metrics.read(METRICS.eventsConsumed, () =>
    Array.from(job.consumed, ([type, value]) => ({ value, labels: { type } })),
  );
  metrics.read(METRICS.eventsLag, () => [{ value: job.waiting() }]);
  metrics.read(METRICS.eventsMissed, () => [{ value: job.missed }]);
  metrics.read(METRICS.webhookDeliveries, () =>
    Array.from(webhooks.counts(), ([receiver, { deliveries }]) => rows(receiver, deliveries)).flat(),
  );
  metrics.read(METRICS.webhookEvents, () =>
    Array.from(webhooks.counts(), ([receiver, { events }]) => rows(receiver, events)).flat(),
  );
  metrics.read(METRICS.webhookWaiting, () =>
    webhooks.statuses().map(({ name, waiting }) => ({ value: waiting, labels: { receiver: name } })),
  );
  metrics.read(METRICS.webhookDeadLetters, async () => [{ value: await webhooks.deadLetterCount() }]);
}

function rows(receiver: string, counts: Readonly<Record<string, number>>) {
  return Object.entries(counts).map(([result, value]) => ({ value, labels: { receiver, result } }));
}
