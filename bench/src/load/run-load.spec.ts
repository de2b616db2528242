import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { LoadJob } from './load-job.js';
import { runLoad } from './run-load.js';
import { checkOf, tokenOf } from './viewers.js';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

let server: Server;
const sockets = new Set<Socket>();

/** A server that is handed each check; no two come in one piece, for a connection has one in flight. */
async function serve(answer: (check: string, socket: Socket) => void): Promise<number> {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (data) => answer(data.toString('latin1'), socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  server.close();
});

const eachOnce = (port: number, count: number): LoadJob => ({
  port,
  connections: 3,
  first: 40,
  count,
  loop: { kind: 'closed' },
});

describe('the generator', () => {
  it('lets each viewer ask once, with a request of its own', async () => {
    const asked: string[] = [];
    const port = await serve((check, socket) => {
      asked.push(check);
      socket.write(OK);
    });
    const report = await runLoad(eachOnce(port, 10));
    expect(asked.sort()).toEqual(Array.from({ length: 10 }, (_, i) => checkOf(40 + i)).sort());
    expect(report).toMatchObject({ answered: 10, refused: 0, viewers: 10 });
  });

  it('waits for the whole of an answer that comes in pieces, with a body', async () => {
    const inFlight = new Set<Socket>();
    let overlaps = 0;
    const port = await serve((_, socket) => {
      if (inFlight.has(socket)) overlaps += 1;
      inFlight.add(socket);
      const pieces = ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 4\r\n\r\nab', 'cd'];
      const next = (): void => {
        const piece = pieces.shift()!;
        // Free before the last piece is on its way: the next check may follow at once.
        if (pieces.length === 0) inFlight.delete(socket);
        socket.write(piece);
        if (pieces.length > 0) setTimeout(next, 5);
      };
      next();
    });
    expect(await runLoad(eachOnce(port, 12))).toMatchObject({ answered: 12, refused: 0 });
    expect(overlaps).toBe(0);
  });

  it('counts refusals apart', async () => {
    const port = await serve((check, socket) => {
      const isRefused = check.includes(tokenOf(41));
      socket.write(isRefused ? 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n' : OK);
    });
    expect(await runLoad(eachOnce(port, 5))).toMatchObject({ answered: 4, refused: 1 });
  });

  it('charges a server that stalls for all whom it kept waiting', async () => {
    let stalled: (() => void)[] | undefined;
    let answered = 0;
    const port = await serve((_, socket) => {
      const answer = (): void => void socket.write(OK);
      answered += 1;
      if (answered === 100) {
        stalled = [];
        setTimeout(() => {
          for (const each of stalled ?? []) each();
          stalled = undefined;
        }, 300);
      }
      if (stalled === undefined) answer();
      else stalled.push(answer);
    });
    const report = await runLoad({
      port,
      connections: 4,
      first: 1,
      count: 50,
      loop: { kind: 'open', rate: 1000, seconds: 1, warm: 0 },
    });
    // Checks were due each millisecond of the 300; a loop that waits for answers would know of four late ones.
    expect(report.answered).toBe(1000);
    expect(report.latency.p99).toBeGreaterThan(250);
    expect(report.latency.max).toBeGreaterThan(290);
  });

  it('fails where a connection breaks', async () => {
    const port = await serve((_, socket) => socket.destroy());
    await expect(runLoad(eachOnce(port, 5))).rejects.toThrow('the server closed a connection');
  });
});
