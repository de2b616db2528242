import { startNode } from './children.js';

/** One of the servers beside Usher. */
export interface HttpServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Allows everybody. */
export function startTrivialBackend(): Promise<HttpServer> {
  return start(new URL('trivial-backend.js', import.meta.url), []);
}

/** Answers 200 with these headers: names and values in turn. */
export function startBareServer(headers: readonly string[]): Promise<HttpServer> {
  return start(new URL('bare-server.js', import.meta.url), headers);
}

async function start(program: URL, args: readonly string[]): Promise<HttpServer> {
  const child = startNode(program, args);
  return { port: (await child.message()) as number, stop: () => child.kill() };
}
