import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';

/** X-Session-ID and X-Channel-ID: any bytes, so many at most. */
const MAX_ID_BYTES = 256;

/** Cesbo's headers, as Astra and Alta send them; HTTP does not tell their letter cases apart. Source: help.cesbo.com. */
const OF_THE_DIALECT = [
  'x-session-id',
  'x-channel-id',
  'x-real-ip',
  'x-real-path',
  'x-real-ua',
  'x-real-host',
  'x-real-origin',
];

/** A header's value; of one that was sent several times the first counts. */
export function header(request: EdgeRequest, name: string): string {
  const value = request.headers[name];
  return (typeof value === 'string' ? value : value?.[0]) ?? '';
}

function id(request: EdgeRequest, name: string): string {
  const value = header(request, name);
  if (value.length > MAX_ID_BYTES) throw new BadRequest(`${name} is longer than ${MAX_ID_BYTES} bytes`);
  return value;
}

/** What Astra and Alta have in common. */
export function cesboFacts(request: EdgeRequest): EdgeFacts {
  return {
    givenSessionId: id(request, 'x-session-id'),
    channel: id(request, 'x-channel-id'),
    ip: header(request, 'x-real-ip') || request.remoteAddress,
    path: header(request, 'x-real-path'),
    userAgent: header(request, 'x-real-ua'),
    host: header(request, 'x-real-host'),
    origin: header(request, 'x-real-origin'),
    query: request.query,
    byHand: !OF_THE_DIALECT.some((name) => request.headers[name] !== undefined),
  };
}

/** Both ask so. */
export const CESBO_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD']);
