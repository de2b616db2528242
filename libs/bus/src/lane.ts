import type { BusKeys } from './keys.js';

/** One entry of a stream as ioredis gives it: id, then field, value, field, value. */
export type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

/** A pattern's requests in one lane, and the slots in which this server handles them. */
export class Lane {
  readonly normal: string;
  readonly low: string;
  busy = 0;
  paused = false;
  /** Had something at the last look, or just got a slot: to be read by itself, with all of its free slots. */
  hot = true;
  /** Last ids read by other means than the script, which then removes what was read. */
  normalUpTo = '';
  lowUpTo = '';
  /** Read with no slot free (a slot was taken away meanwhile); started before anything else. */
  readonly waiting: Entry[] = [];

  constructor(
    keys: BusKeys,
    readonly route: string,
    readonly name: string,
    public slots: number,
  ) {
    this.normal = keys.requests(route, name);
    this.low = keys.low(route, name);
  }

  get free(): number {
    return this.paused ? 0 : Math.max(0, this.slots - this.busy - this.waiting.length);
  }
}
