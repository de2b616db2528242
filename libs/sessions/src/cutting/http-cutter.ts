import { readHeaderLine } from '#usher/config';
import type { Session } from '#usher/domain';
import { failedBy } from './answer-status.js';
import { CUT, failedForGood, failedForNow, GONE } from './cut-result.js';
import type { CutResult } from './cut-result.js';
import type { Cutter, CutResults } from './cutter.js';
import { callEdge, edgeAddress, placeOf, troubleOf } from './edge-call.js';
import type { EdgeApi, EdgeRequest } from './edge-call.js';
import { addressTemplate, bodyTemplate, headerTemplate, UnfitValueError } from './fill-template.js';
import type { Fill } from './fill-template.js';
import { oneByOne } from './one-by-one.js';

/** A call as it is configured; {session}, {channel}, {user} and {ip} are put into address, headers and body. */
export interface CutCall extends EdgeApi {
  readonly method: string;
  /** `Name: value` */
  readonly headers: readonly string[];
  readonly body?: string;
  /** Statuses by which the session is cut; empty: every 2xx. */
  readonly success: readonly number[];
}

export interface HttpCutterOptions {
  /** ms. Default 3,000. */
  readonly timeout?: number;
}

/** Cuts by one HTTP call that the operator describes: for Flussonic, Nimble, SRS or a script of his own. */
export class HttpCutter implements Cutter {
  readonly #url: Fill;
  readonly #headers: ReadonlyMap<string, Fill>;
  readonly #body: Fill | undefined;
  readonly #success: ReadonlySet<number>;
  readonly #timeout: number;
  /** For people. */
  readonly #place: string;

  /** Throws where address or template are wrong. */
  constructor(
    private readonly call: CutCall,
    { timeout = 3_000 }: HttpCutterOptions = {},
  ) {
    const { headers } = edgeAddress(call);
    const address = call.url.replace(/^(https?:\/\/)[^/?#]*@/i, '$1');
    this.#url = addressTemplate(address);
    this.#place = placeOf(address);
    const given = call.headers
      .map(readHeaderLine)
      .map(([name, value]) => [name.toLowerCase(), value] as const);
    const type = new Map(given).get('content-type') ?? 'application/json';
    this.#body = call.body === undefined ? undefined : bodyTemplate(call.body, type);
    const all = {
      ...headers,
      ...(call.body === undefined ? {} : { 'content-type': type }),
      ...Object.fromEntries(given),
    };
    this.#headers = new Map(Object.entries(all).map(([name, value]) => [name, headerTemplate(value)]));
    this.#success = new Set(call.success);
    this.#timeout = timeout;
  }

  async cut(session: Session, signal: AbortSignal): Promise<CutResult> {
    try {
      const { status } = await callEdge(this.#request(session), {
        timeout: this.#timeout,
        maxBytes: 0,
        signal,
      });
      if (this.#isSuccess(status)) return CUT;
      return status === 404 || status === 410 ? GONE : failedBy(status, this.#place);
    } catch (error) {
      if (error instanceof UnfitValueError)
        return failedForGood(`${this.#place}: cannot be asked to: ${error.message}`);
      return failedForNow(`${this.#place}: ${troubleOf(error)}`);
    }
  }

  cutAll(sessions: readonly Session[], signal: AbortSignal): Promise<CutResults> {
    return oneByOne(sessions, (session) => this.cut(session, signal));
  }

  #request(session: Session): EdgeRequest {
    const headers: Record<string, string> = {};
    for (const [name, fill] of this.#headers) headers[name] = fill(session);
    return { method: this.call.method, url: this.#url(session), headers, body: this.#body?.(session) };
  }

  #isSuccess(status: number): boolean {
    return this.#success.size === 0 ? status >= 200 && status < 300 : this.#success.has(status);
  }
}
