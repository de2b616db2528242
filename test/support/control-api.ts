import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsherProcess } from './usher-process.js';

export interface ApiAnswer {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into it as it likes
  readonly body: any;
}

export type ControlApi = (method: string, path: string, body?: unknown) => Promise<ApiAnswer>;

/** What an operator does with the admin token of a control's first start, over real HTTP. */
export async function controlApi(control: UsherProcess): Promise<ControlApi> {
  const [, address] = /operators: (http:\/\/[\d.:]+)/.exec(control.output())!;
  const token = (await readFile(join(control.data, 'admin-token'), 'utf8')).trim();
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(`${address}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
}
