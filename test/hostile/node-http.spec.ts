import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { exchange, statusOf } from '../support/raw-http.js';
import { anyPair } from './any-words.js';
import { headersOf, wire, type Message } from './message.js';
import { SERVERS } from './servers/all.js';

const FACTS = { ip: '192.0.2.7', app: 'live', stream: 'a001', session: '42' };

describe('the headers that hostile tests are made with', () => {
  let server: Server;
  let got: IncomingHttpHeaders | undefined;

  beforeAll(async () => {
    server = createServer((request, response) => {
      got = request.headers;
      response.end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  });
  afterAll(() => new Promise((closed) => server.close(closed)));

  it('are those that node:http reads', async () => {
    const { port } = server.address() as AddressInfo;
    let read = 0;
    for (const { one } of fc.sample(anyPair, { numRuns: 20, seed: 4 })) {
      for (const { asks } of SERVERS) {
        const asked = asks(FACTS, one, '/check');
        const message: Message = { ...asked, headers: [...asked.headers, ['Connection', 'close']] };
        got = undefined;
        const status = statusOf(await exchange(port, wire(message)));
        // What it refuses no dialect sees.
        if (status === 400 || status === 431) continue;
        expect(got).toEqual(headersOf(message));
        read += 1;
      }
    }
    expect(read).toBeGreaterThan(SERVERS.length * 10);
  });
});
