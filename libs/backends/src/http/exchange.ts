import type { Dispatcher } from 'undici';
import { CallCancelled, ExchangeFailed, type Phase } from './exchange-error.js';
import type { Line, LineOptions } from './line.js';

/** A backend's answer. Header values are byte strings; the body is empty where nobody needed it. */
export interface Reply {
  readonly status: number;
  readonly headers: ReplyHeaders;
  readonly body: string;
}

export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** One GET. `needsBody` is asked when the headers are there; without a body the answer is theirs alone. */
export interface Get {
  readonly path: string;
  readonly headers: string[];
  readonly needsBody: (status: number, headers: ReplyHeaders) => boolean;
}

/**
 * Sends one GET and gives its answer as soon as it is complete enough, within `timeoutMs` in all: waiting for a
 * connection, connecting, headers and body. Rejects with ExchangeFailed, or with CallCancelled once `signal` aborts.
 *
 * Where the headers suffice, the body is read on so that the connection can be kept, within the same time and the
 * pool's limit; then it is cut. A body that nobody needs never changes an answer.
 */
export function exchange(
  pool: Dispatcher,
  get: Get,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = new Exchange(get.needsBody, timeoutMs, signal, resolve, reject);
    const options: LineOptions = { method: 'GET', path: get.path, headers: get.headers, line: call.line };
    pool.dispatch(options, call);
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  readonly line: { current?: Line } = {};
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.#giveUp(new CallCancelled());
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #phase: Phase = 'connect';
  /** The connection had answered before this question was written to it. */
  #reused = false;
  #settled = false;
  #status = 0;
  #headers: ReplyHeaders = {};

  constructor(
    private readonly needsBody: Get['needsBody'],
    timeoutMs: number,
    private readonly signal: AbortSignal | undefined,
    private readonly resolve: (reply: Reply) => void,
    private readonly reject: (error: Error) => void,
  ) {
    // One poll phase more: after a busy loop the answer may lie in the socket, and nobody has read it yet.
    const outOfTime = (): void => this.#giveUp(this.#failed('timeout'));
    this.#timer = setTimeout(() => setImmediate(outOfTime), Math.max(0, timeoutMs));
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection: undici has no way to take it out of the queue before.
    if (this.#settled) return controller.abort(new CallCancelled());
    this.#phase = 'headers';
    this.#reused = (this.line.current?.answers ?? 0) > 0;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return;
    this.#phase = 'body';
    this.#status = status;
    this.#headers = headers;
    if (!this.needsBody(status, headers)) this.#answer();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#settled) this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer);
    if (this.line.current !== undefined) this.line.current.answers += 1;
    this.#answer();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#timer);
    if (this.#settle()) this.reject(this.#failed('broken', error));
  }

  #answer(): void {
    if (!this.#settle()) return;
    const body = this.#chunks.length === 0 ? '' : Buffer.concat(this.#chunks).toString('utf8');
    this.resolve({ status: this.#status, headers: this.#headers, body });
  }

  /** Out of time, or nobody waits any longer: the connection is closed, for its answer would come to the next one. */
  #giveUp(error: Error): void {
    clearTimeout(this.#timer);
    if (this.#settle()) this.reject(error);
    this.#controller?.abort(error);
  }

  #failed(how: ExchangeFailed['how'], cause?: Error): ExchangeFailed {
    return new ExchangeFailed(how, this.#phase, this.#reused, cause);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.signal?.removeEventListener('abort', this.#onAbort);
    return true;
  }
}
