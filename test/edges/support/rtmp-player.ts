import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const HANDSHAKE = 1_536;
const CHUNK = 128;
const COMMAND = 20;
const NULL = Buffer.from([5]);

/**
 * Asks an RTMP server for a stream of any name, in any bytes (one character each), as no player would. Resolves when the
 * server ends the connection, or after `patience` ms.
 */
export function askForStream(port: number, app: string, name: string, patience = 2_000): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const timer = setTimeout(() => socket.destroy(), patience);
    let got = Buffer.alloc(0);
    let isGreeted = false;
    socket.on('connect', () => socket.write(Buffer.concat([Buffer.from([3]), randomBytes(HANDSHAKE)])));
    socket.on('data', (data: Buffer) => {
      got = Buffer.concat([got, data]);
      if (isGreeted || got.length < 1 + 2 * HANDSHAKE) return;
      isGreeted = true;
      socket.write(got.subarray(1, 1 + HANDSHAKE));
      socket.write(command(0, text('connect'), number(1), object({ app, tcUrl: `rtmp://h/${app}` })));
      socket.write(command(0, text('createStream'), number(2), NULL));
      socket.write(command(1, text('play'), number(0), NULL, text(name)));
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** One message of AMF0, in chunks. */
function command(stream: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(12);
  head[0] = 3;
  head.writeUIntBE(body.length, 4, 3);
  head[7] = COMMAND;
  head.writeUInt32LE(stream, 8);
  const pieces = [head];
  for (let at = 0; at < body.length; at += CHUNK) {
    if (at > 0) pieces.push(Buffer.from([0xc3]));
    pieces.push(body.subarray(at, at + CHUNK));
  }
  return Buffer.concat(pieces);
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([2]), named(value)]);
}

function named(value: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(value.length);
  return Buffer.concat([length, Buffer.from(value, 'latin1')]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function object(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).flatMap(([name, value]) => [named(name), text(value)]);
  return Buffer.concat([Buffer.from([3]), ...parts, Buffer.from([0, 0, 9])]);
}
