import { Logger } from '@nestjs/common';
import { isTooNew, readEnvelope } from './envelope.js';
import type { ReplyEnvelope } from './envelope.js';
import { BusError } from './errors.js';
import type { BusKeys } from './keys.js';
import type { Entry } from './lane.js';
import type { Line } from './line.js';
import { KEEP_REPLIES } from './scripts.js';
import { compareIds, START } from './stream-id.js';

const BLOCK_MS = 1000;
const GRACE_MS = 1500;
const COUNT = 100;
const KEEP_MS = 1000;
const TTL_S = 30;
const RETRY_MS = 50;

export interface ReplyReaderParts {
  readonly commands: Line;
  readonly blocking: Line;
  readonly keys: BusKeys;
  readonly id: string;
  readonly timeoutMs: number;
  readonly onReplies: (envelope: ReplyEnvelope, fields: readonly Buffer[]) => void;
}

/** Reads this process's stream of replies from where it was, and keeps that stream alive. */
export class ReplyReader {
  readonly #logger = new Logger(ReplyReader.name);
  readonly #key: string;
  #position = START;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(private readonly parts: ReplyReaderParts) {
    this.#key = parts.keys.replies(parts.id);
  }

  start(): void {
    // Before any request on the same connection: servers add only to a stream that exists.
    this.parts.commands.onReady(() => void this.#keep());
    this.#timer = setInterval(() => void this.#keep(), KEEP_MS);
    this.#timer.unref();
    this.#loop = this.#run();
  }

  /** Stops, and removes the stream. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    const { commands, timeoutMs, blocking } = this.parts;
    await commands.call(['del', this.#key], timeoutMs).catch(() => undefined); // it expires
    blocking.close();
    await this.#loop;
  }

  async #keep(): Promise<void> {
    if (this.#closed || !this.parts.commands.ready) return;
    try {
      const last = await this.parts.commands.run(KEEP_REPLIES, [this.#key], [TTL_S], this.parts.timeoutMs);
      if (compareIds(String(last), this.#position) < 0) this.#position = START;
    } catch {
      // Away or late: the next time.
    }
  }

  async #run(): Promise<void> {
    const { blocking } = this.parts;
    while (!this.#closed) {
      try {
        if (blocking.ready) await this.#read();
        else await blocking.waitReady(RETRY_MS);
      } catch (error) {
        if (this.#closed) return;
        if (!(error instanceof BusError)) this.#logger.error(error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async #read(): Promise<void> {
    const answer = (await this.parts.blocking.call(
      ['xread', 'count', COUNT, 'block', BLOCK_MS, 'streams', this.#key, this.#position],
      BLOCK_MS + GRACE_MS,
    )) as [Buffer, Entry[]][] | null;
    for (const [id, fields] of answer?.[0]?.[1] ?? []) {
      this.#position = id.toString();
      this.#hand(fields);
    }
  }

  #hand(fields: readonly Buffer[]): void {
    try {
      const envelope = readEnvelope<ReplyEnvelope>(fields);
      if (!isTooNew(envelope)) this.parts.onReplies(envelope, fields);
    } catch (error) {
      this.#logger.error(error);
    }
  }
}
