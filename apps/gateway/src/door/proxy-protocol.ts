import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { plainAddress, type NetworkTest } from '../edges/networks.js';

/** The PROXY protocol's preamble, v1 in text and v2 in binary. Source: haproxy, doc/proxy-protocol.txt. */
const V1 = Buffer.from('PROXY ', 'latin1');
const V2 = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
/** A v1 line, with its line end. */
const V1_MAX = 107;
const V2_HEADER = 16;
/** A load balancer that sends no preamble within it is cut off, ms. */
const PATIENCE = 5_000;

export interface Preamble {
  /** Bytes to take off the stream. */
  readonly length: number;
  /** The client's address; undefined: the load balancer speaks for itself (LOCAL, UNKNOWN). */
  readonly address: string | undefined;
}

/** Reads a preamble. `more`: not complete yet; `invalid`: there is none. */
export function readPreamble(bytes: Buffer): Preamble | 'more' | 'invalid' {
  if (startsLike(bytes, V2)) return bytes.length < V2_HEADER ? 'more' : readV2(bytes);
  if (startsLike(bytes, V1)) return readV1(bytes);
  return 'invalid';
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function readV1(bytes: Buffer): Preamble | 'more' | 'invalid' {
  const end = bytes.subarray(0, V1_MAX).indexOf('\r\n');
  if (end === -1) return bytes.length < V1_MAX ? 'more' : 'invalid';
  const [, family, source] = bytes.toString('latin1', 0, end).split(' ');
  const length = end + 2;
  if (family === 'UNKNOWN') return { length, address: undefined };
  if ((family === 'TCP4' || family === 'TCP6') && source) return { length, address: source };
  return 'invalid';
}

function readV2(bytes: Buffer): Preamble | 'more' | 'invalid' {
  const [version, command] = [bytes[12]! >> 4, bytes[12]! & 0x0f];
  const family = bytes[13]! >> 4;
  const length = V2_HEADER + bytes.readUInt16BE(14);
  if (version !== 2 || command > 1) return 'invalid';
  if (bytes.length < length) return 'more';
  if (command === 0) return { length, address: undefined };
  if (family === 1 && length >= V2_HEADER + 12) {
    return { length, address: [...bytes.subarray(16, 20)].join('.') };
  }
  if (family === 2 && length >= V2_HEADER + 36) return { length, address: ipv6(bytes.subarray(16, 32)) };
  return { length, address: undefined };
}

function ipv6(bytes: Buffer): string {
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
}

/**
 * Connections from a listed load balancer start with a preamble that names the client; others are taken as they are.
 * The socket's `remoteAddress` is the client's from then on.
 */
export function acceptProxyProtocol(server: Server, isProxy: NetworkTest): void {
  const serve = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const go = (): void => serve.forEach((listener) => listener.call(server, socket));
    if (isProxy(plainAddress(socket.remoteAddress ?? ''))) withPreamble(socket, go);
    else go();
  });
}

function withPreamble(socket: Socket, go: () => void): void {
  let bytes = Buffer.alloc(0);
  const giveUp = (): void => void socket.destroy();
  const stop = (): void => {
    clearTimeout(timer);
    socket.off('readable', read).off('error', giveUp);
  };
  const timer = setTimeout(giveUp, PATIENCE).unref();
  const read = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    bytes = Buffer.concat([bytes, chunk]);
    const preamble = readPreamble(bytes);
    if (preamble === 'more') return;
    stop();
    if (preamble === 'invalid') return giveUp();
    if (preamble.address !== undefined) {
      Object.defineProperty(socket, 'remoteAddress', { value: plainAddress(preamble.address) });
    }
    go();
    if (bytes.length > preamble.length) socket.unshift(bytes.subarray(preamble.length));
  };
  socket.on('readable', read).on('error', giveUp);
  socket.once('close', () => clearTimeout(timer));
}
