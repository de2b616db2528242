import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { networkTest } from '../edges/networks.js';
import { acceptProxyProtocol, readPreamble } from './proxy-protocol.js';

const v2 = (command: number, family: number, addresses: number[]) =>
  Buffer.from([
    0x0d,
    0x0a,
    0x0d,
    0x0a,
    0x00,
    0x0d,
    0x0a,
    0x51,
    0x55,
    0x49,
    0x54,
    0x0a,
    0x20 | command,
    (family << 4) | 1,
    0,
    addresses.length,
    ...addresses,
  ]);
const V4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0x04, 0x28];
const V6 = [
  0x20,
  0x01,
  0x0d,
  0xb8,
  ...Array<number>(11).fill(0),
  7,
  ...Array<number>(16).fill(0),
  0,
  1,
  0,
  2,
];

describe('the preamble of a load balancer', () => {
  it.each([
    [Buffer.from('PROXY TCP4 192.0.2.7 10.0.0.1 12345 1064\r\nGET'), { length: 42, address: '192.0.2.7' }],
    [Buffer.from('PROXY TCP6 2001:db8::7 ::1 1 2\r\n'), { length: 32, address: '2001:db8::7' }],
    [Buffer.from('PROXY UNKNOWN\r\n'), { length: 15, address: undefined }],
    [Buffer.from('PROXY TCP4 192.0'), 'more'],
    [Buffer.from('PRO'), 'more'],
    [Buffer.from('GET / HTTP/1.1\r\n'), 'invalid'],
    [Buffer.from(`PROXY TCP4 ${'x'.repeat(200)}`), 'invalid'],
    [v2(1, 1, V4), { length: 28, address: '192.0.2.7' }],
    [v2(1, 2, V6), { length: 52, address: '2001:db8:0:0:0:0:0:7' }],
    [v2(0, 0, []), { length: 16, address: undefined }],
    [v2(1, 1, V4).subarray(0, 20), 'more'],
  ])('%#', (bytes, expected) => {
    expect(readPreamble(bytes)).toEqual(expected);
  });

  it('any bytes are read without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(readPreamble(Buffer.from(bytes))).toBeDefined();
      }),
    );
  });
});

describe('a server behind a load balancer that speaks the PROXY protocol', () => {
  const listen = async (proxies: string[]): Promise<Server> => {
    const server = createServer((request, response) => response.end(request.socket.remoteAddress));
    acceptProxyProtocol(server, networkTest(proxies, 'gateway.proxies'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server;
  };
  const say = async (server: Server, ...parts: (Buffer | string)[]): Promise<string> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let heard = '';
    socket.on('data', (data) => (heard += data.toString())).on('error', () => undefined);
    for (const part of parts) await new Promise((done) => socket.write(part, done));
    await once(socket, 'close');
    server.close();
    return heard;
  };
  const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

  it.each([
    ['in one packet', [`PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n${GET}`]],
    ['in pieces', ['PROXY TCP4 192.0', '.2.7 10.0.0.1 1 2\r\n', GET]],
    ['in binary', [v2(1, 1, V4), GET]],
  ])('takes the address that it names, sent %s', async (_, parts) => {
    expect(await say(await listen(['127.0.0.1']), ...parts)).toMatch(/192\.0\.2\.7$/);
  });

  it('cuts off a listed load balancer that sends none', async () => {
    expect(await say(await listen(['127.0.0.1']), GET)).toBe('');
  });

  it('believes nobody else', async () => {
    const heard = await say(await listen(['10.0.0.0/8']), `PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n${GET}`);
    expect(heard).toMatch(/^HTTP\/1\.1 400/);
    expect(await say(await listen(['10.0.0.0/8']), GET)).toMatch(/127\.0\.0\.1$/);
  });
});
