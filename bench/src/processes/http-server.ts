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

/** A question that reached the backend. */
export interface BackendCall {
  readonly viewer: number;
  /** By the backend's own monotonic clock, ms. */
  readonly at: number;
}

export interface CountingBackend extends HttpServer {
  /** Those that came since this was asked last. */
  calls(): Promise<readonly BackendCall[]>;
  /** From now on each answer is a failure, or again an allow. */
  fails(): void;
  well(): void;
}

/** Allows everybody for ten hours, and knows when it was asked about whom. */
export async function startCountingBackend(): Promise<CountingBackend> {
  const child = startNode(new URL('counting-backend.js', import.meta.url), []);
  const port = (await child.message()) as number;
  return {
    port,
    calls: async () => {
      const answer = child.message();
      child.process.send('calls');
      const told = (await answer) as readonly number[];
      return Array.from({ length: told.length / 2 }, (_, i) => ({
        viewer: told[2 * i]!,
        at: told[2 * i + 1]!,
      }));
    },
    fails: () => void child.process.send('fails'),
    well: () => void child.process.send('well'),
    stop: () => child.kill(),
  };
}

/** Answers 200 with these headers: names and values in turn. */
export function startBareServer(headers: readonly string[]): Promise<HttpServer> {
  return start(new URL('bare-server.js', import.meta.url), headers);
}

async function start(program: URL, args: readonly string[]): Promise<HttpServer> {
  const child = startNode(program, args);
  return { port: (await child.message()) as number, stop: () => child.kill() };
}
