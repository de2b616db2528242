import type { Clock, Log } from '#usher/domain';
import type { DeadLetters } from './dead-letters.js';
import type { Outbox, OutboxEntry } from './outbox.js';
import { post, type Posted } from './post.js';
import type { Receiver } from './receiver.js';
import type { Head, ReceiverState } from './receiver-state.js';

/** After so many failures events go one by one, so that one that the receiver chokes on is found. */
const TRIES_TOGETHER = 3;
/** One by whose content it is refused is tried so often; one that fails while others are taken, so often and so long, ms. */
const TRIES_REFUSED = 4;
const TRIES_ALONE = 10;
const CHOKES_FOR = 300_000;

/** What became of deliveries and of events since the start. */
export interface CourierCounts {
  readonly deliveries: { delivered: number; failed: number; gone: number };
  readonly events: { delivered: number; dead: number; dropped: number };
}

export interface CourierParts {
  readonly receiver: Receiver;
  readonly outbox: Outbox;
  readonly state: ReceiverState;
  readonly deadLetters: DeadLetters;
  readonly clock: Clock;
  readonly log: Log;
  /** An event that fails while others are taken is given up after so long at the earliest, ms. Default 5 min. */
  readonly chokesFor?: number;
}

/** A delivery failed: the lane waits. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';

  constructor(
    why: string,
    /** Of the event that is first in its lane. */
    readonly tries: number,
    /** The receiver asks to be left alone so long, ms. */
    readonly retryAfter: number,
  ) {
    super(why);
  }
}

type Failed = Extract<Posted, { kind: 'failed' }>;

/** Delivers what waits for one receiver. One run at a time for each lane: so its events stay in order. */
export class Courier {
  readonly counts: CourierCounts = {
    deliveries: { delivered: 0, failed: 0, gone: 0 },
    events: { delivered: 0, dead: 0, dropped: 0 },
  };

  constructor(private readonly parts: CourierParts) {}

  /** Until nothing waits in the lane. Rejects with DeliveryError where the lane has to wait, else as Redis does. */
  async run(lane: string, signal: AbortSignal): Promise<void> {
    const { outbox, state, receiver } = this.parts;
    if ((await state.status()).gone) return this.#drop(lane);
    let head = await state.head(lane);
    for (let delivered = 0; ;) {
      signal.throwIfAborted();
      const alone = head !== undefined && head.tries >= TRIES_TOGETHER;
      const entries = await outbox.first(lane, alone ? 1 : receiver.batch);
      if (entries.length === 0) return;
      const posted = await this.#post(entries);
      this.counts.deliveries[posted.kind] += 1;
      if (posted.kind === 'gone') return this.#gone(lane);
      if (posted.kind === 'delivered') {
        await outbox.remove(lane, entries);
        await state.delivered(lane);
        this.counts.events.delivered += entries.length;
        delivered += entries.length;
        // One by one as far as what failed together may reach.
        if (delivered >= receiver.batch) head = undefined;
        continue;
      }
      head = await state.failed(lane, entries[0]!.id, head, posted.why);
      const given = await this.#giveUp(lane, entries, head, posted);
      if (given === 0) throw new DeliveryError(posted.why, head.tries, posted.retryAfter);
    }
  }

  #post(entries: readonly OutboxEntry[]): Promise<Posted> {
    const { receiver, clock } = this.parts;
    const first = JSON.parse(entries[0]!.event) as { readonly id: string };
    const delivery = {
      id: `${first.id}_${entries.length}`,
      body: `{"events":[${entries.map(({ event }) => event).join(',')}]}`,
      at: clock.now(),
    };
    return post(receiver, delivery);
  }

  /** Gives up what is too old, and what alone keeps failing while the receiver takes others. Returns how many. */
  async #giveUp(lane: string, entries: readonly OutboxEntry[], head: Head, failed: Failed): Promise<number> {
    const { receiver, outbox, deadLetters, clock, log } = this.parts;
    const oldest = clock.now() - receiver.retryFor;
    const isChoking = entries.length === 1 && (await this.#isToBlame(head, failed));
    const given = entries.filter(({ id }) => isChoking || Number(id.split('-')[0]) < oldest);
    for (const { event } of given) await deadLetters.add(receiver.name, event, failed.why);
    await outbox.remove(lane, given);
    this.counts.events.dead += given.length;
    if (given.length > 0) {
      const fields = { receiver: receiver.name, events: given.length, why: failed.why };
      log.warn(fields, 'events were given up: they are dead letters now');
    }
    return given.length;
  }

  /** The event, not the receiver. */
  async #isToBlame({ tries, since }: Head, { refused }: Failed): Promise<boolean> {
    if (refused && tries >= TRIES_REFUSED) return true;
    const { state, clock, chokesFor = CHOKES_FOR } = this.parts;
    if (tries < TRIES_ALONE || clock.now() - since < chokesFor) return false;
    return (await state.status()).deliveredAt > since;
  }

  async #gone(lane: string): Promise<void> {
    const { state, receiver, log } = this.parts;
    await state.markGone();
    log.error(
      { receiver: receiver.name },
      'the webhook’s receiver says that it is gone (410): nothing is sent to it any more, until its address changes',
    );
    await this.#drop(lane);
  }

  async #drop(lane: string): Promise<void> {
    this.counts.events.dropped += await this.parts.outbox.clear(lane);
  }
}
