import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What an edge's own API was asked, as it came. */
export interface EdgeApiRequest {
  /** `POST /control/` */
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What it does with a request: an answer, nothing at all, a closed connection, or bytes that are no HTTP. */
export type EdgeApiReply =
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  | 'hang'
  | 'reset'
  | { readonly garbage: string };

/** A streaming server's own API that answers as the test says, on a real socket. */
export class FakeEdgeApi {
  /** In the order in which they came. */
  readonly requests: EdgeApiRequest[] = [];
  #port = 0;
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  constructor(public reply: (request: EdgeApiRequest) => EdgeApiReply) {}

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const bound = this.#server.address();
    if (bound !== null && typeof bound !== 'string') this.#port = bound.port;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const { method, url, headers } = message;
    const request = { line: `${method} ${url}`, headers, body: Buffer.concat(chunks).toString() };
    this.requests.push(request);
    const reply = this.reply(request);
    if (reply === 'hang') return;
    if (reply === 'reset') return void response.destroy();
    if ('garbage' in reply) return void response.socket?.end(reply.garbage);
    response.writeHead(reply.status, reply.headers).end(reply.body);
  }
}

export async function startFakeEdgeApi(
  reply: (request: EdgeApiRequest) => EdgeApiReply,
): Promise<FakeEdgeApi> {
  const api = new FakeEdgeApi(reply);
  await api.listen();
  return api;
}
