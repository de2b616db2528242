import { stripControls } from '#usher/domain';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Metric } from 'prom-client';
import { METRICS } from './catalogue.js';
import type { MetricDefinition } from './catalogue.js';
import { LatencyFamily } from './latency.js';
import { watchEventLoop } from './event-loop.js';

/** One number of a metric. */
export interface MetricRow<Label extends string = string> {
  readonly value: number;
  readonly labels?: Readonly<Record<Label, string>>;
}

/** Read at scrape. May be asked of Redis; a source that is late or fails is left out of that scrape. */
export type MetricSource<Label extends string = string> = () =>
  Iterable<MetricRow<Label>> | Promise<Iterable<MetricRow<Label>>>;

interface RenderedValue {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

/** These would name people, or grow without bound. */
const FORBIDDEN_LABEL =
  /^(user|viewer|token|credential|query|ip|address|session|fingerprint|device|channel|path|url)/;
const MAX_ROWS = 1_000;
const MAX_LABEL = 64;
const SOURCE_TIMEOUT_MS = 1_000;

/**
 * The process's metrics. What is counted on the hot path are plain numbers of those who count; this reads them at
 * scrape, and nobody but this file knows prom-client.
 */
export class Metrics {
  readonly #registry: Registry;
  readonly #unreadable = new Map<string, number>();
  readonly #stopWatching: () => void;

  constructor(registry: Registry = new Registry()) {
    this.#registry = registry;
    collectDefaultMetrics({ register: registry });
    const loop = watchEventLoop();
    this.#stopWatching = loop.stop;
    this.read(METRICS.eventLoopLag, () => loop.read());
    this.read(METRICS.unreadable, () =>
      Array.from(this.#unreadable, ([metric, value]) => ({ value, labels: { metric } })),
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /**
   * Plugs in a counter or gauge that somebody else holds.
   * @throws {Error} on a name that is taken, or a label that would name people.
   */
  read<Label extends string>(definition: MetricDefinition<Label>, rows: MetricSource<Label>): void {
    this.#register(definition, async () => {
      const values: RenderedValue[] = [];
      for (const row of await inTime(rows())) {
        if (values.length >= MAX_ROWS) {
          this.#leaveOut(definition.name);
          break;
        }
        values.push({ value: row.value, labels: shownLabels(row.labels) });
      }
      return values;
    });
  }

  /** Latencies by the definition's one label, rendered as a histogram in seconds; `family`: whoever measures has it already. */
  latencies(definition: MetricDefinition, family = new LatencyFamily()): LatencyFamily {
    const [label] = definition.labels;
    if (definition.kind !== 'histogram' || definition.labels.length !== 1 || label === undefined) {
      throw new Error(`${definition.name}: a histogram with one label is needed here`);
    }
    this.#register(definition, () => Promise.resolve(renderLatencies(definition.name, label, family)));
    return family;
  }

  /** The whole page in prom-client's text format. Never rejects for a source's fault. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Stops what watches the event loop. */
  close(): void {
    this.#stopWatching();
  }

  #register(definition: MetricDefinition, values: () => Promise<RenderedValue[]>): void {
    const { name, help, kind } = definition;
    const bad = definition.labels.find((label) => FORBIDDEN_LABEL.test(label));
    if (bad !== undefined)
      throw new Error(`${name}: a label "${bad}" would name people or grow without bound`);
    if ((kind === 'counter') !== name.endsWith('_total')) {
      throw new Error(`${name}: counters, and only they, end in _total`);
    }
    const get = async () => ({
      name,
      help,
      type: kind,
      aggregator: 'sum',
      values: await this.#readable(name, values),
    });
    // The registry needs of a metric its name and `get` only; prom-client's own classes keep the numbers themselves.
    this.#registry.registerMetric({ name, help, type: kind, get } as unknown as Metric);
  }

  async #readable(name: string, values: () => Promise<RenderedValue[]>): Promise<RenderedValue[]> {
    try {
      return await values();
    } catch {
      this.#leaveOut(name);
      return [];
    }
  }

  #leaveOut(name: string): void {
    this.#unreadable.set(name, (this.#unreadable.get(name) ?? 0) + 1);
  }
}

async function inTime<T>(rows: T | Promise<T>): Promise<T> {
  if (!(rows instanceof Promise)) return rows;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), SOURCE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([rows, late]);
  } finally {
    clearTimeout(timer);
  }
}

function shownLabels(labels: Readonly<Record<string, string>> | undefined): Record<string, string> {
  if (labels === undefined) return {};
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [label, stripControls(value).slice(0, MAX_LABEL)]),
  );
}

function renderLatencies(name: string, label: string, family: LatencyFamily): RenderedValue[] {
  const values: RenderedValue[] = [];
  for (const [value, latency] of family.entries()) {
    const labels = shownLabels({ [label]: value });
    for (const { le, count } of latency.buckets()) {
      const bound = le === Infinity ? '+Inf' : le;
      values.push({ value: count, labels: { ...labels, le: bound }, metricName: `${name}_bucket` });
    }
    values.push({ value: latency.sum, labels, metricName: `${name}_sum` });
    values.push({ value: latency.count, labels, metricName: `${name}_count` });
  }
  return values;
}
