import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the demo backend lets in, and whom it says that is. */
export const DEMO_TOKEN = '123';
export const DEMO_USER = 'demo-user';

/** Next to the gateway's 1064; another one where that is taken. */
const PORT = 1065;

/** The HTTP endpoint of the example in Astra's documentation. */
export interface DemoBackend {
  /** `http://127.0.0.1:1065` */
  readonly origin: string;
  close(): Promise<void>;
}

/**
 * Allows `token=123` and names the user, as an operator's own endpoint would; denies the rest with 403. `POST /stop` makes it break off
 * every check unanswered, as a backend that is down does; `POST /start` ends that.
 */
export async function startDemoBackend({ host = '127.0.0.1', port = PORT } = {}): Promise<DemoBackend> {
  let stopped = false;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://demo');
    if (request.method === 'POST' && (pathname === '/stop' || pathname === '/start')) {
      stopped = pathname === '/stop';
      response.end(stopped ? 'The demo backend is down.\n' : 'The demo backend is up.\n');
    } else if (stopped) request.socket.destroy();
    else answerCheck(request, response, searchParams);
  });
  await listen(server, host, port);
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerCheck(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
  request.resume();
  if (query.get('token') === DEMO_TOKEN) response.writeHead(200, { 'X-Session-Name': DEMO_USER });
  else response.writeHead(403);
  response.end();
}

/** On the port if it is free, else on any. */
async function listen(server: Server, host: string, port: number): Promise<void> {
  const attempt = (at: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  await attempt(port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return attempt(0);
  });
}
