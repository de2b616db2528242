import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import type { UsherProcess } from './usher.js';

export interface ApiAnswer {
  /** JSON, as it came. */
  readonly body: string;
  /** When all of it was there, of `performance.now()`, ms. */
  readonly at: number;
}

/** An operator with the admin token, on one connection that stays open. */
export interface Operator {
  /** Rejects where the answer is not 200: what was to be measured did not happen. */
  ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<ApiAnswer>;
  leave(): void;
}

export async function operatorOf(control: UsherProcess): Promise<Operator> {
  const token = (await readFile(join(control.data, 'admin-token'), 'utf8')).trim();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const shared = { port: control.port, host: '127.0.0.1', agent };
  return {
    ask: (method, path, body) =>
      new Promise((resolve, reject) => {
        const text = body === undefined ? '' : JSON.stringify(body);
        const headers = {
          authorization: `Bearer ${token}`,
          ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': text.length }),
        };
        const call = request({ ...shared, method, path: `/api/v1${path}`, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const answer = { body: Buffer.concat(chunks).toString(), at: performance.now() };
            if (response.statusCode === 200) resolve(answer);
            else reject(new Error(`${method} ${path}: ${response.statusCode} ${answer.body}`));
          });
        });
        call.on('error', reject);
        call.end(text);
      }),
    leave: () => agent.destroy(),
  };
}
