import type { BusKeys } from './keys.js';

/** One entry of a stream as ioredis gives it: id, then field, value, field, value. */
export type Entry = readonly [id: Buffer, fields: readonly Buffer[]];

/** A pattern's requests in one lane, and the slots in which this server handles them. */
export class Lane {
  readonly normal: string;
  readonly low: string;
  busy = 0;
  paused = false;
  /** There may be more in the stream than the last look could take. */
  moreNormal = true;
  moreLow = true;
  /** Last ids taken and not yet removed from the streams. */
  normalTaken = '';
  lowTaken = '';
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

  /** To be read by itself, with all of its free slots. */
  get hot(): boolean {
    return this.moreNormal || this.moreLow;
  }

  lookAgain(): void {
    this.moreNormal = true;
    this.moreLow = true;
  }
}
