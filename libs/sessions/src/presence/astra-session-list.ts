import { controlAddress } from '../cutting/control-address.js';
import { callEdge } from '../cutting/edge-call.js';
import type { EdgeAnswer, EdgeApi } from '../cutting/edge-call.js';
import { readSessionList } from './listed-session.js';
import type { ListedSession } from './listed-session.js';

export type AstraControl = EdgeApi;

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
    const { address, headers } = controlAddress(control);
    this.#address = address;
    this.#headers = headers;
    this.#timeout = options.timeout ?? 5_000;
    this.#maxBytes = options.maxBytes ?? 32 * 1024 * 1024;
  }

  /** Rejects with SessionListError: no connection, too late, not 200, too large, or no list. */
  async read(): Promise<ListedSession[]> {
    const { status, body } = await this.#ask();
    if (status !== 200) {
      const hint = status === 401 || status === 403 ? ': check user and password' : '';
      throw new SessionListError(`${this.#address}: status ${status}${hint}`);
    }
    const list = readSessionList(parsed(body));
    if (list === undefined) throw new SessionListError(`${this.#address}: the answer is no session list`);
    return list;
  }

  async #ask(): Promise<EdgeAnswer> {
    const request = {
      method: 'POST',
      url: this.#address,
      headers: this.#headers,
      body: '{"cmd":"sessions"}',
    };
    try {
      return await callEdge(request, { timeout: this.#timeout, maxBytes: this.#maxBytes });
    } catch (error) {
      throw new SessionListError(error instanceof Error ? error.message : 'failed', { cause: error });
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
