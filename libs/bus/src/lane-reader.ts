import { isReplyError } from './line.js';
import type { Command, Line } from './line.js';
import type { Entry, Lane } from './lane.js';
import { TAKE } from './scripts.js';

/** All servers are one consumer: without acknowledgements (NOACK) a consumer's name means nothing. */
export const GROUP = 'servers';
const CONSUMER = 'any';
/** Most that one look takes from a lane: keeps the loop's turns short. */
const BATCH = 128;
const BLOCK_MS = 2000;
/** A blocking read may be answered this much after its time, ms; then the connection is dead. */
const GRACE_MS = 1500;
const ANSWER_MS = 1000;
const WAKE_TTL_S = 60;

export interface ReaderParts {
  /** Reads; blocks. */
  readonly blocking: Line;
  /** Wakes the blocked read. */
  readonly commands: Line;
  readonly wakeKey: string;
  readonly timeoutMs: number;
  /** Handles one request; its slot is counted already. */
  readonly start: (lane: Lane, entry: Entry) => void;
  readonly onTrouble: (error: unknown) => void;
}

/**
 * Reads all lanes of a server over one connection, never more than there are free slots.
 *
 * Lanes that had something are looked at by a script each, with all their free slots (normal requests first), the others
 * together in one read, one entry per stream. Only when no lane is known to have something does that read
 * block. A lane without a free slot is left out, and stalls nobody. When its slot frees while the read blocks on the
 * others, an entry in the server's own stream, which each blocking read includes, ends the read: unlike CLIENT UNBLOCK
 * it cannot come too early and be lost, and a Redis Cluster routes it; unlike a short BLOCK it costs an idle server nothing.
 */
export class LaneReader {
  readonly #lanes: Lane[] = [];
  readonly #byKey = new Map<string, { readonly lane: Lane; readonly low: boolean }>();
  /** The lanes that the read under way blocks on. */
  #blockedOn: ReadonlySet<Lane> | undefined;
  #wakeSent = false;
  #ensured = false;
  #stopping = false;
  #signal: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();
  #consuming = false;

  constructor(private readonly parts: ReaderParts) {}

  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** It reads now, or could at once: its streams and groups exist. */
  get consuming(): boolean {
    return this.#consuming && this.parts.blocking.ready && !this.#stopping;
  }

  add(lane: Lane): void {
    this.#lanes.push(lane);
    this.#byKey.set(lane.normal, { lane, low: false });
    this.#byKey.set(lane.low, { lane, low: true });
    this.#ensured = false;
    this.changed();
  }

  start(): void {
    this.parts.blocking.onReady(() => {
      this.#ensured = false;
      this.#signal?.();
    });
    this.#loop = this.#run();
  }

  /** Stops reading; resolves when no entry can come any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.changed();
    await this.#loop;
  }

  /** A request of this lane is done with. */
  freed(lane: Lane): void {
    lane.busy -= 1;
    const next = lane.paused || lane.busy >= lane.slots ? undefined : lane.waiting.shift();
    if (next !== undefined) return this.#begin(lane, next);
    if (this.#blockedOn?.has(lane) === true) return;
    lane.hot = true;
    this.changed();
  }

  /** Slots or lanes changed: look again. */
  changed(): void {
    this.#signal?.();
    if (this.#blockedOn === undefined || this.#wakeSent) return;
    this.#wakeSent = true;
    const { commands, wakeKey, timeoutMs } = this.parts;
    void commands
      .call(['xadd', wakeKey, 'nomkstream', 'maxlen', 1, '*', 'wake', '1'], timeoutMs)
      .catch(() => {
        // The read ends by itself, after BLOCK_MS.
      });
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      try {
        if (!this.parts.blocking.ready) await this.#wait();
        else if (!this.#ensured) await this.#ensure();
        else await this.#look();
      } catch (error) {
        this.#ensured = false;
        if (!this.parts.blocking.ready || isReplyError(error, 'NOGROUP')) continue;
        this.parts.onTrouble(error);
        await this.#wait(100);
      }
    }
  }

  /** Until something changes. */
  #wait(atMostMs = 60_000): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#signal?.(), atMostMs);
      this.#signal = () => {
        clearTimeout(timer);
        this.#signal = undefined;
        resolve();
      };
    });
  }

  /** Makes streams and groups where they are missing (a start, a Redis that came back empty), and loads the script. */
  async #ensure(): Promise<void> {
    this.#ensured = true;
    const { blocking, wakeKey } = this.parts;
    const create = (key: string): Command => ['xgroup', 'create', key, GROUP, '0', 'mkstream'];
    const commands: Command[] = [create(wakeKey), ['expire', wakeKey, WAKE_TTL_S]];
    for (const lane of this.#lanes) {
      commands.push(create(lane.normal), create(lane.low));
      commands.push(['eval', TAKE.source, 2, lane.normal, lane.low, GROUP, CONSUMER, 0, '', '']);
    }
    for (const [error] of await blocking.pipeline(commands, ANSWER_MS)) {
      if (error !== null && !isReplyError(error, 'BUSYGROUP')) throw error;
    }
    this.#consuming = true;
  }

  /** One look at all lanes with free slots. */
  async #look(): Promise<void> {
    const open = this.#lanes.filter((lane) => lane.free > 0);
    if (open.length === 0) return this.#wait();
    const hot = open.filter((lane) => lane.hot);
    if (hot.length === 0) return this.#block(open);
    const commands = hot.map(takeCommand);
    const rest = open.filter((lane) => !lane.hot);
    if (rest.length > 0) commands.push(this.#readCommand(rest, false));
    const answers = await this.parts.blocking.pipeline(commands, ANSWER_MS);
    let failure: Error | undefined;
    for (const [index, [error, answer]] of answers.entries()) {
      if (error !== null) failure = error;
      else if (index < hot.length) this.#took(hot[index]!, answer as [Entry[], Entry[]]);
      else this.#read(answer as StreamReply);
    }
    if (failure !== undefined) throw failure;
  }

  async #block(open: readonly Lane[]): Promise<void> {
    this.#blockedOn = new Set(open);
    this.#wakeSent = false;
    try {
      this.#read(
        (await this.parts.blocking.call(this.#readCommand(open, true), BLOCK_MS + GRACE_MS)) as StreamReply,
      );
    } finally {
      this.#blockedOn = undefined;
    }
  }

  #readCommand(lanes: readonly Lane[], block: boolean): Command {
    const keys = [...lanes.map((lane) => lane.normal), ...lanes.map((lane) => lane.low)];
    if (block) keys.push(this.parts.wakeKey);
    const wait = block ? ['block', BLOCK_MS] : [];
    const ids = keys.map(() => '>');
    return ['xreadgroup', 'group', GROUP, CONSUMER, 'count', 1, ...wait, 'noack', 'streams', ...keys, ...ids];
  }

  #took(lane: Lane, [normal, low]: [Entry[], Entry[]]): void {
    lane.normalUpTo = '';
    lane.lowUpTo = '';
    lane.hot = normal.length + low.length > 0;
    for (const entry of normal) this.#begin(lane, entry);
    for (const entry of low) this.#begin(lane, entry);
  }

  #read(streams: StreamReply): void {
    for (const [key, entries] of streams ?? []) {
      const found = this.#byKey.get(key.toString());
      if (found === undefined) continue; // only a wake-up
      const { lane, low } = found;
      for (const entry of entries) {
        if (low) lane.lowUpTo = entry[0].toString();
        else lane.normalUpTo = entry[0].toString();
        lane.hot = true;
        if (lane.busy < lane.slots) this.#begin(lane, entry);
        else lane.waiting.push(entry);
      }
    }
  }

  #begin(lane: Lane, entry: Entry): void {
    lane.busy += 1;
    this.parts.start(lane, entry);
  }
}

type StreamReply = readonly (readonly [key: Buffer, entries: readonly Entry[]])[] | null;

function takeCommand(lane: Lane): Command {
  const free = Math.min(lane.free, BATCH);
  return [
    'evalsha',
    TAKE.sha,
    2,
    lane.normal,
    lane.low,
    GROUP,
    CONSUMER,
    free,
    lane.normalUpTo,
    lane.lowUpTo,
  ];
}
