import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

/** What a portal does with one request. */
export type PortalBehaviour = (request: IncomingMessage, response: ServerResponse) => void;

const CHUNK = 16_384;

export function status(code: number, headers: OutgoingHttpHeaders = {}, body = ''): PortalBehaviour {
  return (_, response) => {
    response.writeHead(code, headers).end(body);
  };
}

export function allow(headers: OutgoingHttpHeaders = {}): PortalBehaviour {
  return status(200, headers, 'ok');
}

export function deny(code = 403, headers: OutgoingHttpHeaders = {}): PortalBehaviour {
  return status(code, headers, 'denied');
}

/** Takes the request and never answers. */
export function hang(): PortalBehaviour {
  return () => undefined;
}

/** Answers late. The viewer of a late answer may be gone. */
export function slow(ms: number, then: PortalBehaviour = allow()): PortalBehaviour {
  return (request, response) => {
    const timer = setTimeout(() => then(request, response), ms);
    response.once('close', () => clearTimeout(timer));
  };
}

/** Takes the request and resets the connection. */
export function reset(): PortalBehaviour {
  return (request) => {
    const { socket } = request;
    if ('resetAndDestroy' in socket && !('encrypted' in socket)) socket.resetAndDestroy();
    else socket.destroy();
  };
}

/** `page`: 200 with an error page, as PHP gives when it dies. `bytes`: what is no HTTP. `truncated`: half an answer. */
export function garbage(kind: 'page' | 'bytes' | 'truncated' = 'page'): PortalBehaviour {
  if (kind === 'page') {
    const page =
      '<br />\n<b>Fatal error</b>:  Uncaught PDOException: SQLSTATE[HY000] [2002] Connection refused';
    return status(200, { 'Content-Type': 'text/html; charset=UTF-8' }, page);
  }
  const bytes =
    kind === 'bytes'
      ? '\0\x01\x02 this is not HTTP\r\n\r\n'
      : 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf';
  return (request) => {
    request.socket.end(bytes);
  };
}

/** A head that never ends. */
export function endlessHeaders(): PortalBehaviour {
  const line = `X-Filler: ${'x'.repeat(1_000)}\r\n`;
  return ({ socket }) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    pour(socket, line.repeat(16));
  };
}

/** 200 at once, and a body that never ends. */
export function endlessBody(): PortalBehaviour {
  return (_, response) => {
    response.writeHead(200);
    pour(response, 'x'.repeat(CHUNK));
  };
}

/** By the query's `token`; a request with none of these tokens gets `otherwise`. */
export function byToken(
  behaviours: Readonly<Record<string, PortalBehaviour>>,
  otherwise: PortalBehaviour = deny(),
): PortalBehaviour {
  return (request, response) => {
    const token = new URL(request.url ?? '/', 'http://portal').searchParams.get('token') ?? '';
    const behaviour = Object.hasOwn(behaviours, token) ? behaviours[token]! : otherwise;
    behaviour(request, response);
  };
}

/** Writes as fast as the reader reads, until the connection is gone. */
function pour(into: Writable, chunk: string): void {
  const more = (): void => {
    while (!into.destroyed && into.write(chunk));
  };
  into.on('drain', more);
  into.on('error', () => undefined);
  more();
}
