import type { FastifyRequest } from 'fastify';
import type { Caller } from '../access/token-table.js';

/** A request of the admin API; `caller` is there once its token was checked. */
export type ApiRequest = FastifyRequest & { caller?: Caller };

/** Where it comes from. Behind a proxy that is the proxy. */
export function addressOf(request: FastifyRequest): string {
  const address = request.socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
