import {
  bothStreams,
  expectNoMore,
  GROUP,
  readCommand,
  sharedCount,
  soloLook,
  trimCommand,
} from './lane-look.js';
import { BusError } from './errors.js';
import { isReplyError } from './line.js';
import type { Command, Line } from './line.js';
import type { Entry, Lane } from './lane.js';

const BLOCK_MS = 2000;
/** A blocking read may be answered this much after its time, ms; then the connection is dead. */
const GRACE_MS = 1500;
const ANSWER_MS = 1000;
const TRIM_MS = 100;
const WAKE_TTL_S = 60;
/** Streams live this much longer than the servers that read them, s. */
const STREAM_TTL_S = 3600;

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
 * Lanes that had something are read one by one, with all their free slots (normal requests first), the others
 * together, one entry per stream. Only when no lane is known to have something does that read
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
  #trimTimer: NodeJS.Timeout | undefined;
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

  /** Commands that keep the streams alive and count what waits in them: expire and xlen in turn. */
  upkeep(): { readonly names: string[]; readonly commands: Command[] } {
    const names: string[] = [];
    const commands: Command[] = [];
    for (const { route, name, normal, low } of this.#lanes) {
      names.push(`${route}:${name}`, `${route}:${name}:low`);
      for (const key of [normal, low]) commands.push(['expire', key, STREAM_TTL_S], ['xlen', key]);
    }
    commands.push(['expire', this.parts.wakeKey, WAKE_TTL_S]);
    return { names, commands };
  }

  get stopping(): boolean {
    return this.#stopping;
  }

  /** Stops reading; resolves when no entry can come any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.changed();
    await this.#loop;
    clearTimeout(this.#trimTimer);
    this.#trim();
  }

  /** A request of this lane is done with. */
  freed(lane: Lane): void {
    const wasFull = lane.free === 0;
    lane.busy -= 1;
    const next = lane.paused || lane.busy >= lane.slots ? undefined : lane.waiting.shift();
    if (next !== undefined) return this.#begin(lane, next);
    if (!wasFull) return;
    lane.lookAgain();
    this.changed();
  }

  /** The lane's slots changed, or it was paused or resumed. */
  refresh(lane: Lane): void {
    while (lane.waiting.length > 0 && !lane.paused && lane.busy < lane.slots)
      this.#begin(lane, lane.waiting.shift()!);
    lane.lookAgain();
    this.changed();
  }

  /** Look again. */
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
        if (!this.parts.blocking.ready || isGone(error)) continue;
        if (!(error instanceof BusError)) this.parts.onTrouble(error);
        await this.#wait(100);
      }
    }
  }

  /** Until something changes. */
  #wait(atMostMs = 60_000): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#signal?.(), Math.max(0, atMostMs));
      this.#signal = () => {
        clearTimeout(timer);
        this.#signal = undefined;
        resolve();
      };
    });
  }

  /** Makes streams and groups where they are missing (a start, a Redis that came back empty). */
  async #ensure(): Promise<void> {
    this.#ensured = true;
    const { blocking, wakeKey } = this.parts;
    const create = (key: string): Command => ['xgroup', 'create', key, GROUP, '0', 'mkstream'];
    const commands: Command[] = [create(wakeKey), ['expire', wakeKey, WAKE_TTL_S]];
    for (const lane of this.#lanes) {
      for (const key of [lane.normal, lane.low]) commands.push(create(key), ['expire', key, STREAM_TTL_S]);
      lane.lookAgain();
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
    const looks = hot.map(soloLook);
    const rest = open.filter((lane) => !lane.hot);
    if (rest.length > 0) looks.push({ keys: bothStreams(rest), count: sharedCount(rest) });
    // Set again by what the look brings, or by a slot that frees meanwhile.
    for (const lane of hot) expectNoMore(lane);
    const reads = looks.map(({ keys, count }) => readCommand(keys, count));
    const answers = await this.parts.blocking.pipeline(reads, ANSWER_MS);
    let failure: Error | undefined;
    for (const [index, [error, answer]] of answers.entries()) {
      if (error !== null) failure = error;
      else this.#read(answer as StreamReply, looks[index]!.count);
    }
    if (failure !== undefined) throw failure;
  }

  async #block(open: readonly Lane[]): Promise<void> {
    const count = sharedCount(open);
    const read = readCommand([...bothStreams(open), this.parts.wakeKey], count, BLOCK_MS);
    this.#blockedOn = new Set(open);
    this.#wakeSent = false;
    try {
      this.#read((await this.parts.blocking.call(read, BLOCK_MS + GRACE_MS)) as StreamReply, count);
    } finally {
      this.#blockedOn = undefined;
    }
  }

  /** Begins what was read with this count per stream. */
  #read(streams: StreamReply, count: number): void {
    for (const [key, entries] of streams ?? []) {
      const found = this.#byKey.get(key.toString());
      const last = entries.at(-1)?.[0].toString();
      if (found === undefined || last === undefined) continue; // only a wake-up
      const { lane, low } = found;
      if (low) lane.lowTaken = last;
      else lane.normalTaken = last;
      if (entries.length >= count && low) lane.moreLow = true;
      if (entries.length >= count && !low) lane.moreNormal = true;
      for (const entry of entries) {
        if (lane.busy < lane.slots) this.#begin(lane, entry);
        else lane.waiting.push(entry);
      }
      this.#trimSoon();
    }
  }

  #trimSoon(): void {
    this.#trimTimer ??= setTimeout(() => this.#trim(), TRIM_MS);
  }

  /**
   * Removes what was taken, so that a stream's length is what waits in it and nothing settled lies about. A group hands
   * entries out in the order of their ids: all up to the last one have been taken by somebody.
   */
  #trim(): void {
    this.#trimTimer = undefined;
    const trims: Command[] = [];
    for (const lane of this.#lanes) {
      if (lane.normalTaken !== '') trims.push(trimCommand(lane.normal, lane.normalTaken));
      if (lane.lowTaken !== '') trims.push(trimCommand(lane.low, lane.lowTaken));
      lane.normalTaken = '';
      lane.lowTaken = '';
    }
    this.parts.commands.pipeline(trims, this.parts.timeoutMs).catch(() => undefined); // MAXLEN does it
  }

  #begin(lane: Lane, entry: Entry): void {
    lane.busy += 1;
    this.parts.start(lane, entry);
  }
}

/** The streams were removed, before the read or during it: they are made anew. */
const isGone = (error: unknown): boolean =>
  isReplyError(error, 'NOGROUP') || isReplyError(error, 'UNBLOCKED');

type StreamReply = readonly (readonly [key: Buffer, entries: readonly Entry[]])[] | null;
