import { once } from 'node:events';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** One request as it came over the wire, byte for byte (latin1). */
export interface RawRequest {
  readonly text: string;
  readonly target: string;
  readonly socket: Socket;
  /** 1 for the first request of its connection. */
  readonly onConnection: number;
  header(name: string): string | undefined;
}

export type Answering = (request: RawRequest) => string | Buffer | undefined;

/** A portal that answers with literal bytes, or not at all: it shows what a client does on the wire. */
export class RawPortal {
  readonly requests: RawRequest[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  answering: Answering = () => ok();
  /** Called for each new connection, before anything is read. */
  connected: (socket: Socket) => void = () => {};
  readonly #server: Server;

  private constructor(
    private readonly scheme: 'http' | 'https',
    tls?: TlsOptions,
  ) {
    const serve = (socket: Socket): void => this.#serve(socket);
    this.#server = tls === undefined ? createTcpServer(serve) : createTlsServer(tls, serve);
  }

  static async start(tls?: TlsOptions): Promise<RawPortal> {
    const portal = new RawPortal(tls === undefined ? 'http' : 'https', tls);
    portal.#server.listen(0, '127.0.0.1');
    await once(portal.#server, 'listening');
    return portal;
  }

  get url(): string {
    return `${this.scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    this.connected(socket);
    let pending = '';
    let count = 0;
    socket.on('data', (chunk) => {
      pending += chunk.toString('latin1');
      for (let end = pending.indexOf('\r\n\r\n'); end !== -1; end = pending.indexOf('\r\n\r\n')) {
        const text = pending.slice(0, end + 4);
        pending = pending.slice(end + 4);
        count += 1;
        const request = rawRequest(text, socket, count);
        this.requests.push(request);
        const answer = this.answering(request);
        if (answer !== undefined) socket.write(answer);
      }
    });
  }
}

function rawRequest(text: string, socket: Socket, onConnection: number): RawRequest {
  const lines = text.split('\r\n');
  return {
    text,
    socket,
    onConnection,
    target: lines[0]!.slice('GET '.length, -' HTTP/1.1'.length),
    header: (name) =>
      lines.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}: `))?.slice(name.length + 2),
  };
}

/** A literal answer with these header lines and this body. */
export function answer(status: string, headers: readonly string[] = [], body = ''): string {
  return [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join(
    '\r\n',
  );
}

export function ok(headers: readonly string[] = [], body = ''): string {
  return answer('200 OK', headers, body);
}
