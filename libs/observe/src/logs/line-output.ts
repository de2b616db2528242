import { writeSync } from 'node:fs';

const MAX_BUFFERED = 8 * 1024 * 1024;
const RETRY_MS = 10;
const EXIT_PATIENCE_MS = 500;

/**
 * Writes lines to a file descriptor at once and in order. When its reader stalls, lines wait in memory, bounded: a full
 * pipe must not stop answers; what goes beyond is dropped and counted. When its reader is gone, nothing is written
 * any more. (pino's own destination waits for ever at exit when the reader is gone.)
 */
export class LineOutput {
  readonly #fd: number;
  readonly #maxBuffered: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #gone = false;
  #retry: NodeJS.Timeout | undefined;

  /** The descriptor of a pipe or socket must be non-blocking, as Node makes standard output. */
  constructor(fd: number, maxBuffered = MAX_BUFFERED) {
    this.#fd = fd;
    this.#maxBuffered = maxBuffered;
  }

  write(line: string): void {
    if (this.#gone) return;
    const bytes = Buffer.from(line, 'utf8');
    if (this.#waitingBytes + bytes.length > this.#maxBuffered) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // While the reader stalls the timer writes; trying at every line would cost a call each.
    if (this.#retry === undefined) this.#drain();
  }

  /** Tries for half a second at most to write what waits: for the exit. */
  flush(): void {
    const until = performance.now() + EXIT_PATIENCE_MS;
    this.#drain();
    while (this.#waiting.length > 0 && performance.now() < until) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      this.#drain();
    }
  }

  #drain(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    while (this.#waiting.length > 0) {
      const bytes = this.#waiting[0]!;
      const written = this.#tryWrite(bytes);
      this.#waitingBytes -= written;
      if (this.#gone) {
        this.#waiting = [];
        return;
      }
      if (written < bytes.length) {
        this.#waiting[0] = bytes.subarray(written);
        this.#retry = setTimeout(() => this.#drain(), RETRY_MS).unref();
        return;
      }
      this.#waiting.shift();
    }
    if (this.#dropped > 0) this.#sayDropped();
  }

  #sayDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    const time = new Date().toISOString();
    this.write(
      `${JSON.stringify({ level: 'warn', time, dropped, msg: 'log lines dropped: their reader stalled' })}\n`,
    );
  }

  /** How many bytes the reader took. */
  #tryWrite(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN' || code === 'EINTR') return 0;
      this.#gone = true;
      return 0;
    }
  }
}

let standardOutput: LineOutput | undefined;

/** The process's standard output; what waits is written at exit. */
export function standardOutputLines(): LineOutput {
  if (standardOutput === undefined) {
    // Touching it makes Node set a pipe non-blocking.
    const { fd } = process.stdout;
    const output = new LineOutput(fd);
    process.once('exit', () => output.flush());
    standardOutput = output;
  }
  return standardOutput;
}
