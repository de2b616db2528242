import { Logger } from '@nestjs/common';
import { dataOf, encodeData, isTooNew, readEnvelope, VERSION, writeEvent } from './envelope.js';
import type { EventEnvelope, Metadata } from './envelope.js';
import { BusError } from './errors.js';
import { BusKeys } from './keys.js';
import type { Entry } from './lane.js';
import { Line } from './line.js';
import { randomId } from './options.js';
import type { CheckedBusOptions } from './options.js';
import { WATCH_EVENTS } from './scripts.js';
import { compareIds, START } from './stream-id.js';

export interface BusEvent {
  readonly pattern: string;
  /** The id of the process that emitted it. */
  readonly from: string;
  readonly meta: Metadata | undefined;
}

export type EventListener = (data: unknown, event: BusEvent) => unknown;

/** `behind`: events were trimmed before we read them. `recreated`: the stream is a new one; what was in the old is lost. */
export type Gap = 'behind' | 'recreated';

const BLOCK_MS = 1000;
const GRACE_MS = 1500;
const CHECK_MS = 5000;
const READ_COUNT = 200;
const RETRY_MS = 100;
export const EVENTS_TTL_S = 86_400;

/**
 * Every process hears every event, in one order: the stream is tailed from where this process was, so that a lost
 * connection loses nothing. Where something was lost all the same, `onGap` listeners are told to reread the truth.
 */
export class Events {
  readonly #options: CheckedBusOptions;
  readonly #keys: BusKeys;
  readonly #logger = new Logger(Events.name);
  readonly #listeners = new Map<string, Set<EventListener>>();
  readonly #gapListeners = new Set<(gap: Gap) => void>();
  #line: Line | undefined;
  #position: string | undefined;
  #epoch: string | undefined;
  #checkedAt = -Infinity;
  #loop: Promise<void> = Promise.resolve();
  #closed = false;
  #gaps = 0;
  #onTailing: (() => void)[] = [];

  constructor(options: CheckedBusOptions) {
    this.#options = options;
    this.#keys = new BusKeys(options.prefix);
  }

  /** Gaps met so far. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Listens to one pattern; starts to tail. Returns the way to stop listening. */
  on(pattern: string, listener: EventListener): () => void {
    const listeners = this.#listeners.get(pattern) ?? new Set();
    this.#listeners.set(pattern, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Called when events were lost: reread what they tell about. */
  onGap(listener: (gap: Gap) => void): () => void {
    this.#gapListeners.add(listener);
    return () => this.#gapListeners.delete(listener);
  }

  /** Tails from now on. Connects by itself, again and again. */
  start(): void {
    if (this.#line !== undefined || this.#closed) return;
    this.#line = new Line(this.#options.connect, 'events');
    this.#line.onLost(() => (this.#checkedAt = -Infinity));
    this.#loop = this.#run(this.#line);
  }

  /** Called when it begins to tail, at once where it does: nothing that was told before is heard, so read what is true. */
  onTailing(listener: () => void): void {
    if (this.#position === undefined) this.#onTailing.push(listener);
    else listener();
  }

  /** Starts; resolves when what is emitted from now on will be heard: true; or after the time: false. */
  async tailing(withinMs: number): Promise<boolean> {
    this.start();
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      this.onTailing(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#line?.close();
    await this.#loop;
  }

  async #run(line: Line): Promise<void> {
    while (!this.#closed) {
      try {
        if (!line.ready) await line.waitReady(RETRY_MS);
        else if (performance.now() - this.#checkedAt >= CHECK_MS) await this.#check(line);
        else await this.#read(line);
      } catch (error) {
        if (!(error instanceof BusError)) this.#logger.error(error);
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #read(line: Line): Promise<void> {
    const before = this.#position!;
    const count = Math.max(1, Math.min(READ_COUNT, Math.floor(this.#options.maxEvents / 2)));
    const answer = (await line.call(
      ['xread', 'count', count, 'block', BLOCK_MS, 'streams', this.#keys.events, before],
      BLOCK_MS + GRACE_MS,
    )) as [Buffer, Entry[]][] | null;
    const entries = answer?.[0]?.[1] ?? [];
    // Only one that reads full batches can have been overtaken by the trimming.
    if (entries.length === count) await this.#check(line);
    for (const [id, fields] of entries) {
      this.#position = id.toString();
      this.#deliver(fields);
    }
  }

  /** Has anything been removed that we had not read, or is the stream another one? */
  async #check(line: Line): Promise<void> {
    const args = [randomId(), EVENTS_TTL_S];
    const keys = [this.#keys.events, this.#keys.epoch];
    const answer = await line.run(WATCH_EVENTS, keys, args, this.#options.commandTimeoutMs);
    const [epoch, first, last, removed] = (answer as (Buffer | number)[]).map(String) as [
      string,
      string,
      string,
      string,
    ];
    this.#checkedAt = performance.now();
    const position = this.#position;
    const known = this.#epoch;
    this.#epoch = epoch;
    if (position === undefined) {
      this.#position = last;
      for (const listener of this.#onTailing.splice(0)) this.#safely(listener);
      return;
    }
    // A Redis that came back empty with its clock behind gives ids that are below ours.
    if (compareIds(last, position) < 0) this.#position = START;
    if (known !== epoch || this.#position !== position) return this.#tellGap('recreated');
    const unread = compareIds(position, last) < 0;
    if (unread && Number(removed) > 0 && compareIds(position, first) < 0) this.#tellGap('behind');
  }

  #tellGap(gap: Gap): void {
    this.#gaps += 1;
    this.#logger.warn(gap === 'behind' ? 'fell behind the events' : 'the events stream was re-created');
    for (const listener of this.#gapListeners) this.#safely(() => listener(gap));
  }

  #deliver(fields: readonly Buffer[]): void {
    this.#safely(() => {
      const envelope = readEnvelope<EventEnvelope>(fields);
      if (isTooNew(envelope))
        throw new TypeError(`an event of version ${envelope.v}; this process speaks ${VERSION}`);
      const listeners = this.#listeners.get(envelope.event);
      if (listeners === undefined) return;
      const data = dataOf(envelope, fields);
      const event = { pattern: envelope.event, from: envelope.from, meta: envelope.meta };
      for (const listener of listeners) this.#safely(() => listener(data, event));
    });
  }

  /** A listener that fails stops neither the others nor the tail. */
  #safely(call: () => unknown): void {
    try {
      const result = call();
      if (result instanceof Promise) result.catch((error: unknown) => this.#logger.error(error));
    } catch (error) {
      this.#logger.error(error);
    }
  }
}

/** Adds one event. Rejects with BusError where it is not certain that it was added. */
export async function emitEvent(
  line: Line,
  options: CheckedBusOptions,
  event: { readonly pattern: string; readonly data: unknown; readonly meta?: Metadata | undefined },
): Promise<void> {
  const key = new BusKeys(options.prefix).events;
  const data = encodeData(event.data);
  const message = writeEvent({ event: event.pattern, from: options.id, meta: event.meta }, data);
  const bytes = data.bytes === undefined ? [] : ['b', data.bytes];
  const answers = await line.pipeline(
    [
      ['xadd', key, 'maxlen', '~', options.maxEvents, '*', 'm', message, ...bytes],
      ['expire', key, EVENTS_TTL_S],
    ],
    options.commandTimeoutMs,
  );
  const error = answers[0]![0];
  if (error !== null) throw error;
}
