import { once } from 'node:events';
import { BUS_REDIS_OPTIONS } from '#usher/bus';
import { Redis } from 'ioredis';

/** Opens a connection of its own. */
export type Connect = () => Redis;

/** Both sides of the comparison have the same connections. */
export const connectTo =
  (port: number): Connect =>
  () =>
    // Who waits for a connection hears of its errors by itself.
    new Redis({ ...BUS_REDIS_OPTIONS, port }).on('error', () => undefined);

/** As many connections as are asked for, ready. */
export async function ready(connect: Connect, count: number): Promise<readonly Redis[]> {
  const connections = Array.from({ length: count }, connect);
  await Promise.all(connections.map((connection) => once(connection, 'ready')));
  return connections;
}
