import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An idle connection is kept so long, ms: as the gateway does, so that both write the same headers. */
export const KEEP_ALIVE = 600_000;

/** Listens on a free loopback port and tells it to the parent; ends with the parent. */
export function listenForParent(server: Server): void {
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit());
}
