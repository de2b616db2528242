import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/** One request line and its headers are told apart by what HTTP allows in neither. */
const SEPARATOR = '\n';

const text = (value: string | string[] | undefined): string =>
  typeof value === 'string' ? value : value === undefined ? '' : value.join();

/**
 * Everything that an answer depends on, in one string: who asks, the whole address (edge, secret and query), and the
 * dialects' headers. Two requests with one key get one answer, so nothing may be left out that a dialect reads.
 */
export function requestKey(request: IncomingMessage): string {
  const headers: IncomingHttpHeaders = request.headers;
  return (
    (request.socket.remoteAddress ?? '') +
    SEPARATOR +
    request.url +
    SEPARATOR +
    text(headers['x-session-id']) +
    SEPARATOR +
    text(headers['x-channel-id']) +
    SEPARATOR +
    text(headers['x-real-ip']) +
    SEPARATOR +
    text(headers['x-real-path']) +
    SEPARATOR +
    text(headers['x-real-ua']) +
    SEPARATOR +
    text(headers['x-real-host']) +
    SEPARATOR +
    text(headers['x-real-origin']) +
    SEPARATOR +
    text(headers['x-forwarded-for'])
  );
}
