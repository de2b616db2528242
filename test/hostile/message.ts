import type { EdgeRequest } from '#usher/dialects';

/** A request as it stands on the wire, one character for each byte. */
export interface Message {
  readonly method: string;
  readonly target: string;
  /** In their order; a name may come twice. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** All of its bytes. */
export function wire({ method, target, headers, body }: Message): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${target} HTTP/1.1\r\n${lines}\r\n${body}`;
}

/** Of these node keeps the first; other names that come twice it joins. Those of them that a dialect could read. */
const FIRST_COUNTS: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'content-type',
  'from',
  'host',
  'proxy-authorization',
  'referer',
  'user-agent',
]);

/** The headers as node:http gives them for these bytes (`node-http.spec.ts` compares). */
export function headersOf(message: Message): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of message.headers) {
    const key = name.toLowerCase();
    const before = headers[key];
    if (typeof before !== 'string') headers[key] = trimmed(value);
    else if (!FIRST_COUNTS.has(key))
      headers[key] = `${before}${key === 'cookie' ? '; ' : ', '}${trimmed(value)}`;
  }
  return headers;
}

/** What a dialect gets of it at an edge's address. */
export function received(message: Message, path: string, query: string, remoteAddress: string): EdgeRequest {
  return {
    method: message.method,
    path,
    query,
    headers: headersOf(message),
    body: Buffer.from(message.body, 'latin1'),
    remoteAddress,
  };
}

/** White space around a header's value is none of it. */
const trimmed = (value: string): string => value.replace(/^[ \t]+|[ \t]+$/g, '');
