import { readSessionList } from './listed-session.js';
import type { ListedSession } from './listed-session.js';

export interface AstraControl {
  /** The edge's own API: `http://host:8000`. */
  readonly url: string;
  /** Basic auth; without a user none is sent. */
  readonly user?: string;
  readonly password?: string;
}

export interface AstraSessionListOptions {
  /** For the whole answer, ms. Default 5,000. */
  readonly timeout?: number;
  /** A longer answer is refused, bytes. Default 32 MiB. */
  readonly maxBytes?: number;
}

/** The list could not be had. The message is for people and holds no credentials. */
export class SessionListError extends Error {
  readonly code = 'SESSION_LIST';
  override readonly name = 'SessionListError';
}

/** Reads an Astra's session list: POST /control/ {"cmd":"sessions"} with basic auth (Astra's API documentation). */
export class AstraSessionList {
  readonly #address: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeout: number;
  readonly #maxBytes: number;

  /** Throws where the address is none. Credentials in it are used where none are given apart. */
  constructor(control: AstraControl, options: AstraSessionListOptions = {}) {
    const url = new URL(control.url);
    const isApart = control.user !== undefined && control.user !== '';
    const user = isApart ? control.user : decodeURIComponent(url.username);
    const password = isApart ? (control.password ?? '') : decodeURIComponent(url.password);
    url.username = '';
    url.password = '';
    url.search = '';
    url.hash = '';
    if (!/\/control\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, '')}/control/`;
    this.#address = url.href;
    this.#headers = {
      'content-type': 'application/json',
      ...(user === ''
        ? {}
        : { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }),
    };
    this.#timeout = options.timeout ?? 5_000;
    this.#maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  }

  /** Rejects with SessionListError: no connection, too late, not 200, too large, or no list. */
  async read(): Promise<ListedSession[]> {
    let text: string;
    try {
      text = await this.#ask();
    } catch (error) {
      if (error instanceof SessionListError) throw error;
      throw new SessionListError(`${this.#address}: ${reasonOf(error, this.#timeout)}`, { cause: error });
    }
    const list = readSessionList(parsed(text));
    if (list === undefined) throw new SessionListError(`${this.#address}: the answer is no session list`);
    return list;
  }

  async #ask(): Promise<string> {
    const response = await fetch(this.#address, {
      method: 'POST',
      headers: this.#headers,
      body: '{"cmd":"sessions"}',
      redirect: 'manual',
      signal: AbortSignal.timeout(this.#timeout),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      const hint = response.status === 401 || response.status === 403 ? ': check user and password' : '';
      throw new SessionListError(`${this.#address}: status ${response.status}${hint}`);
    }
    return this.#bodyOf(response);
  }

  async #bodyOf(response: Response): Promise<string> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      const bytes = chunk as Uint8Array;
      size += bytes.length;
      if (size > this.#maxBytes) throw new SessionListError(`${this.#address}: over ${this.#maxBytes} bytes`);
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString('utf8');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown, timeout: number): string {
  const { name, message, cause } = describe(error);
  if (name === 'TimeoutError') return `no answer within ${timeout} ms`;
  // fetch hides what happened behind "fetch failed".
  return describe(cause).message ?? message ?? 'failed';
}

/** By its shape: an error of the platform's own fetch need not be an Error of this realm. */
function describe(error: unknown): { name?: string; message?: string; cause?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}
