import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { TEST_CERTIFICATE, TEST_KEY } from './certificate.js';
import { eventually } from './eventually.js';
import * as behaviours from './portal-behaviours.js';
import type { PortalBehaviour } from './portal-behaviours.js';

export interface FakePortalOptions {
  /** HTTPS with TEST_CERTIFICATE. */
  readonly tls?: boolean;
}

export interface PortalRequest {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they were sent, in turn. */
  readonly rawHeaders: readonly string[];
  /** performance.now() of its arrival. */
  readonly at: number;
}

/** Starts a portal that allows everybody, on a port of its own. */
export async function startFakePortal(options: FakePortalOptions = {}): Promise<FakePortal> {
  const portal = new FakePortal(options.tls === true);
  await portal.up();
  return portal;
}

/** An operator's middleware whose behaviour is switched while it runs; the switch counts for requests that come after. */
export class FakePortal {
  /** All requests in the order of their arrival. */
  readonly requests: PortalRequest[] = [];
  /** The most requests that were unanswered at one time. */
  mostInFlight = 0;
  #inFlight = 0;
  #port = 0;
  #dropsTls = false;
  #behaviour: PortalBehaviour = behaviours.allow();
  readonly #server;

  constructor(readonly secure: boolean) {
    const answer = (request: IncomingMessage, response: ServerResponse): void =>
      this.#answer(request, response);
    // Requests may stand unanswered for as long as a test likes.
    const patient = {
      requestTimeout: 0,
      headersTimeout: 0,
      keepAliveTimeout: 60_000,
      maxHeaderSize: 1_048_576,
    };
    this.#server = secure
      ? createSecureServer({ ...patient, key: TEST_KEY, cert: TEST_CERTIFICATE }, answer)
      : createServer(patient, answer);
    this.#server.prependListener('connection', (socket: Socket) => {
      if (this.#dropsTls) socket.destroy();
    });
    this.#server.on('tlsClientError', () => undefined);
  }

  get port(): number {
    return this.#port;
  }

  /** Without a path. */
  get url(): string {
    return `${this.secure ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  /** Requests that are unanswered now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  behave(behaviour: PortalBehaviour): void {
    this.#dropsTls = false;
    this.#behaviour = behaviour;
  }

  allow(headers: OutgoingHttpHeaders = {}): void {
    this.behave(behaviours.allow(headers));
  }

  deny(status = 403, headers: OutgoingHttpHeaders = {}): void {
    this.behave(behaviours.deny(status, headers));
  }

  status(code: number, headers: OutgoingHttpHeaders = {}, body = ''): void {
    this.behave(behaviours.status(code, headers, body));
  }

  hang(): void {
    this.behave(behaviours.hang());
  }

  slow(ms: number, then?: PortalBehaviour): void {
    this.behave(behaviours.slow(ms, then));
  }

  reset(): void {
    this.behave(behaviours.reset());
  }

  garbage(kind?: 'page' | 'bytes' | 'truncated'): void {
    this.behave(behaviours.garbage(kind));
  }

  endlessHeaders(): void {
    this.behave(behaviours.endlessHeaders());
  }

  endlessBody(): void {
    this.behave(behaviours.endlessBody());
  }

  /** By the query's `token`, or by a function of the request. */
  byToken(
    choice: Readonly<Record<string, PortalBehaviour>> | ((request: IncomingMessage) => PortalBehaviour),
    otherwise?: PortalBehaviour,
  ): void {
    this.behave(
      typeof choice === 'function'
        ? (request, response) => choice(request)(request, response)
        : behaviours.byToken(choice, otherwise),
    );
  }

  /** Takes connections and drops them before the TLS handshake; those that stand are dropped too. */
  dropTls(): void {
    if (!this.secure) throw new Error('a portal without TLS has none to drop');
    this.#dropsTls = true;
    this.#server.closeAllConnections();
  }

  /** Nobody listens any more; what is unanswered is cut. */
  async down(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens again, on the same port. */
  async up(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const bound = this.#server.address();
    if (bound !== null && typeof bound !== 'string') this.#port = bound.port;
  }

  stop(): Promise<void> {
    return this.down();
  }

  /** The first `count` requests, as soon as there are so many. */
  waitForRequests(count: number): Promise<readonly PortalRequest[]> {
    return eventually(() => {
      if (this.requests.length < count) throw new Error(`${this.requests.length} requests of ${count}`);
      return this.requests.slice(0, count);
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      at: performance.now(),
    });
    this.#inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
    response.once('close', () => {
      this.#inFlight -= 1;
    });
    request.on('error', () => undefined);
    request.resume();
    this.#behaviour(request, response);
  }
}
