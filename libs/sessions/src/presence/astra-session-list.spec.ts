import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { freePort } from '#usher/testing';
import { AstraSessionList, SessionListError } from './astra-session-list.js';
import { readSessionList } from './listed-session.js';
import { readWebhookPayload } from './webhook-payload.js';

let server: Server;
let url: string;
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => answer(request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const documented = {
  sessions: [
    { client_id: 42, channel_id: 'a001', channel_name: 'Первый', addr: '192.0.2.7', uptime: 61 },
    { client_id: 'x9', channel_id: 'кино', channel_name: '', addr: '::ffff:192.0.2.8', uptime: 0 },
  ],
};

describe('an Astra’s session list', () => {
  it('is asked for as Astra’s API wants it, and read', async () => {
    let asked: unknown[] = [];
    answer = (request, body, response) => {
      asked = [request.method, request.url, body, request.headers['authorization']];
      response.end(JSON.stringify(documented));
    };
    const list = new AstraSessionList({ url: `${url}/`, user: 'usher', password: 'p:w' });
    expect(await list.read()).toEqual([
      { id: '42', channel: 'a001', ip: '192.0.2.7', uptime: 61_000 },
      { id: 'x9', channel: Buffer.from('кино').toString('latin1'), ip: '192.0.2.8', uptime: 0 },
    ]);
    const authorization = `Basic ${Buffer.from('usher:p:w').toString('base64')}`;
    expect(asked).toEqual(['POST', '/control/', '{"cmd":"sessions"}', authorization]);
  });

  it.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['a wrong password', (response) => response.writeHead(401).end(), /status 401: check user and password/],
    ['a redirect', (response) => response.writeHead(302, { location: '/' }).end(), /status 302/],
    ['HTML', (response) => response.end('<html>'), /no session list/],
    ['another object', (response) => response.end('{"error":"x"}'), /no session list/],
    ['an answer without an end', pour, /over 65536 bytes/],
    ['no answer', () => undefined, /no answer within 200 ms/],
    ['a reset', (response) => response.destroy(), /other side closed|socket hang up|terminated|ECONNRESET/],
  ])('%s is an error that says so, without credentials', async (what, respond, message) => {
    answer = (_request, _body, response) => respond(response);
    const control = { url: url.replace('//', '//usher:secret@') };
    const timeout = what === 'no answer' ? 200 : 20_000;
    const list = new AstraSessionList(control, { timeout, maxBytes: 65_536 });
    const error: unknown = await list.read().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(SessionListError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('secret');
  });

  it('of an Astra that is not there is an error', async () => {
    const list = new AstraSessionList({ url: `http://127.0.0.1:${await freePort()}` });
    await expect(list.read()).rejects.toThrow(/ECONNREFUSED/);
  });

  it('of any content is read without a throw, and names what it lists', () => {
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        for (const answer of [anything, { sessions: [anything] }, { sessions: anything }]) {
          for (const one of readSessionList(answer) ?? []) {
            expect(one.id ?? (one.channel && one.ip)).toBeTruthy();
          }
          readWebhookPayload(answer);
        }
        readWebhookPayload(String(JSON.stringify(anything)));
      }),
    );
  });
});

function pour(response: ServerResponse): void {
  const chunk = Buffer.alloc(16_384, '[');
  const more = (): void => {
    if (!response.destroyed) response.write(chunk, () => setImmediate(more));
  };
  more();
}
