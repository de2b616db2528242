import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exchange } from './raw-http.js';
import type { UsherProcess } from './usher-process.js';

/** What a streaming server posts, to the letter: the body's bytes, one character each. Gives back all that comes. */
export function post(
  port: number,
  address: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const lines = Object.entries({
    Host: 'usher',
    Connection: 'Close',
    ...headers,
    'Content-Length': String(body.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return exchange(port, `POST ${address} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
}

/** An answer without what differs each time. */
export const same = (answer: string): string =>
  answer
    .replace(/X-Usher-Id: [\w-]+/, 'X-Usher-Id: …')
    .replace(/X-Usher-Source: (backend|direct)/, 'X-Usher-Source: asked')
    .replace(/Date: [^\r]+\r\n/, '');

/** Asks control's admin API as the holder of its admin token. */
export async function operatorsOf(
  control: UsherProcess,
): Promise<(path: string, body: unknown) => Promise<Response>> {
  const [, address] = /operators: (http:\/\/[\d.:]+)/.exec(control.output())!;
  const token = (await readFile(join(control.data, 'admin-token'), 'utf8')).trim();
  return (path, body) =>
    fetch(`${address}/api/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
}
