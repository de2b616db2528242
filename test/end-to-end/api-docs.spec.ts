import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { eventually, freePort, portalBehaviours, startFakePortal, startRedis } from '#usher/testing';
import type { FakePortal, RedisProcess } from '#usher/testing';
import { startUsher, type UsherProcess } from '../support/usher-process.js';

/** A shell's words, for what stands in the document: 'single' and "double" quotes, one after the other. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain!,
  );

interface Reply {
  readonly status: number;
  readonly body: string;
}

/** What curl does with such a line, on another port. */
function asCurl(line: string, port: number): Promise<Reply> {
  const words = wordsOf(line);
  const after = (option: string): string[] =>
    words.flatMap((word, at) => (word === option ? [words[at + 1]!] : []));
  const url = new URL(words.find((word) => word.startsWith('http://127.0.0.1'))!);
  const headers = Object.fromEntries(after('-H').map((header) => header.split(': ') as [string, string]));
  const [method = 'GET'] = after('-X');
  return new Promise((resolve, reject) => {
    const path = url.pathname + url.search;
    const call = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.on('error', reject).end(after('-d')[0]);
  });
}

describe('docs/api.md', () => {
  let usher: UsherProcess;
  let redis: RedisProcess;
  let portal: FakePortal;
  let port: number;
  let text: string;
  let token: string;
  const lines = (): string[] =>
    Array.from(text.matchAll(/^```sh\n([^]*?)^```$/gm), ([, block = '']) => block)
      .flatMap((block) => block.trimEnd().split('\n'))
      .filter((line) => line.startsWith('curl'))
      .map((line) => line.replaceAll('$TOKEN', token));

  beforeAll(async () => {
    text = await readFile('docs/api.md', 'utf8');
    [redis, portal] = await Promise.all([startRedis(), startFakePortal()]);
    portal.byToken({ 123: portalBehaviours.allow({ 'X-UserId': '100500' }) }, portalBehaviours.deny());
    port = await freePort();
    usher = await startUsher('all', {
      redis: { url: redis.url },
      control: { listen: `127.0.0.1:${port}` },
      edges: { 'astra-1': {} },
      backends: { portal: { type: 'http', url: `${portal.url}/check` } },
      webhooks: [{ name: 'billing', url: `${portal.url}/events`, secret: 'a secret of sixteen characters' }],
    });
    token = (await readFile(join(usher.data, 'admin-token'), 'utf8')).trim();
    await usher.check();
    await usher.check({ sessionId: '43', query: 'token=bad' });
  });
  afterAll(async () => {
    await usher?.end('SIGKILL');
    await Promise.all([redis?.stop(), portal?.down()]);
  });

  it('gives commands that work as they stand there', async () => {
    expect(lines().length).toBeGreaterThan(10);
    // Answers are recorded, and sessions opened, a moment after they were given.
    await eventually(async () => {
      for (const line of lines()) {
        const { status, body } = await asCurl(line, port);
        expect([line.replace(token, ''), status, body]).toEqual([
          expect.anything(),
          200,
          expect.stringMatching(/^\{/),
        ]);
      }
      const why = lines().find((line) => line.includes('why?address='))!;
      expect((await asCurl(why, port)).body).toContain('The backend refused this viewer.');
    });
  });

  it('names every call that there is, and no other', async () => {
    const { body } = await asCurl('curl http://127.0.0.1:9067/api/v1/openapi.json', port);
    const { paths } = JSON.parse(body) as { paths: Record<string, object> };
    const there = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/api/v1', '')}`),
    );
    const table = /<!-- calls[^]*<!-- \/calls -->/.exec(text)?.[0] ?? '';
    const named = Array.from(table.matchAll(/^\| `([A-Z]+ [^`]+)`/gm), ([, call = '']) => call);
    expect(named.sort()).toEqual(there.sort());
  });

  it('without a token nothing is told but the document', async () => {
    expect((await asCurl('curl http://127.0.0.1:9067/api/v1/sessions', port)).status).toBe(401);
  });
});
