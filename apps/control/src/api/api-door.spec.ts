import { readFile, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { eventually } from '#usher/testing';
import { z } from 'zod';
import { startApi } from './api.js';
import { Endpoint } from './endpoint/endpoint.js';
import { OBSERVER, OPERATOR, startApiWorld, type ApiWorld, type Answer } from './for-tests.js';

const query = z.strictObject({ color: z.enum(['red', 'blue']).optional(), size: z.string().optional() });
const body = z.strictObject({ name: z.string(), depth: z.strictObject({ level: z.int() }).optional() });
const answer = z.strictObject({ said: z.unknown() });
const facts = { summary: 'Try', answer, example: { said: 1 } };

@Controller('try')
class TryController {
  @Get()
  @Endpoint({ ...facts, query })
  look(@Query() given: z.output<typeof query>) {
    return { said: given };
  }

  @Get('bare')
  @Endpoint(facts)
  bare() {
    return { said: 'bare' };
  }

  @Get('of/:name')
  @Endpoint({ ...facts, params: z.strictObject({ name: z.string().max(20, 'at most 20 characters') }) })
  named(@Param() given: { name: string }) {
    return { said: given.name };
  }

  @Get('broken')
  @Endpoint(facts)
  broken(): never {
    throw new Error('redis://:s3cret@10.0.0.1');
  }

  @Get('without')
  without() {
    return { said: 'never' };
  }

  @Post()
  @Endpoint({ ...facts, body })
  change(@Body() given: z.output<typeof body>) {
    return { said: given };
  }

  @Post('asked')
  @Endpoint({ ...facts, body, changesNothing: true })
  asked(@Body() given: z.output<typeof body>) {
    return { said: given };
  }
}

let world: ApiWorld;

beforeAll(async () => {
  world = await startApiWorld({}, { controllers: [TryController], providers: [] });
});
afterAll(() => world?.stop());

/** Every refusal is a problem document that says what to do. */
function expectProblem(given: Answer, status: number, code: string): Record<string, unknown> {
  expect({ status: given.status, type: given.body?.type }).toEqual({
    status,
    type: `urn:usher:problem:${code}`,
  });
  expect(given.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  expect(given.headers['cache-control']).toBe('no-store');
  expect(given.body).toMatchObject({
    status,
    title: expect.stringMatching(/./),
    detail: expect.stringMatching(/\.$/),
    whatToDo: expect.stringMatching(/\.$/),
  });
  return given.body as Record<string, unknown>;
}

describe('a port that is open to the network', () => {
  const warnings = ({ lines }: ApiWorld): string[] =>
    lines.map(({ message }) => message).filter((message) => message.includes('control.listen'));

  it.each([
    ['127.0.0.1:0', false, 0],
    ['localhost:0', false, 0],
    ['0.0.0.0:0', false, 1],
    ['[::]:0', false, 1],
    ['0.0.0.0:0', true, 0],
  ])('%s, TLS in front: %p: warnings at the start: %p', async (listen, tlsInFront, count) => {
    const open = await startApiWorld({ control: { listen, tlsInFront } });
    try {
      expect(warnings(open)).toHaveLength(count);
      for (const message of warnings(open)) expect(message).toContain('control.tlsInFront');
    } finally {
      await open.stop();
    }
  });
});

describe('who may ask', () => {
  it('whoever shows a token: the admin’s from its file, and configured ones', async () => {
    const file = join(world.data, 'admin-token');
    const admin = (await readFile(file, 'utf8')).trim();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    for (const token of [admin, OBSERVER, OPERATOR]) {
      expect(await world.call('/try/bare', { token })).toMatchObject({ status: 200, body: { said: 'bare' } });
    }
  });

  it('nobody without one, or with a wrong one', async () => {
    const none = await world.call('/try/bare', { token: '' });
    expectProblem(none, 401, 'no-token');
    expect(none.headers['www-authenticate']).toBe('Bearer realm="usher"');
    expectProblem(
      await world.call('/try/bare', { token: '', headers: { authorization: 'Basic YTpi' } }),
      401,
      'no-token',
    );
    const wrong = await world.call('/try/bare', { token: `${OPERATOR}x`, from: '127.0.0.2' });
    expectProblem(wrong, 401, 'wrong-token');
    expect(wrong.headers['www-authenticate']).toContain('invalid_token');
  });

  it('an observer looks, and changes nothing', async () => {
    const change = { method: 'POST', body: { name: 'x' } };
    expectProblem(await world.call('/try', { ...change, token: OBSERVER }), 403, 'role-too-low');
    expect((await world.call('/try', change)).status).toBeLessThan(300);
    expect((await world.call('/try/asked', { ...change, token: OBSERVER })).status).toBeLessThan(300);
  });

  it('a route of which nothing is known is for nobody', async () => {
    expectProblem(await world.call('/try/without'), 500, 'internal');
  });

  it('every route that is there needs a token', async () => {
    const routes = world.api.paths.all().filter((route) => !route.startsWith('HEAD'));
    expect(routes).toContain('GET /api/v1/audit');
    const open: string[] = [];
    for (const route of routes) {
      const [method = '', path = ''] = route.split(' ');
      const { status } = await world.call(path.replaceAll(/:[a-z]+/gi, 'x'), { method, token: '' });
      if (status !== 401 && path !== '/api/v1/try/without') open.push(route);
    }
    expect(open.filter((route) => route !== 'GET /api/v1/openapi.json')).toEqual([]);
  });

  it('an address that guesses is not listened to for a while, others are', async () => {
    const from = '127.0.0.3';
    for (let i = 0; i < 30; i += 1)
      await world.call('/try/bare', { token: 'an-old-token-of-a-script', from });
    expect((await world.call('/try/bare', { from })).status).toBe(200);
    const statuses: number[] = [];
    for (let i = 0; i < 9; i += 1) {
      statuses.push((await world.call('/try/bare', { token: `guess-number-${i}-of-many`, from })).status);
    }
    expect(statuses).toEqual([...Array<number>(8).fill(401), 429]);
    const locked = await world.call('/try/bare', { from });
    expectProblem(locked, 429, 'too-many-logins');
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(0);
    expect((await world.call('/try/bare')).status).toBe(200);
    expect(world.lines.filter(({ message }) => message.startsWith('too many wrong tokens'))).toHaveLength(1);
  });

  it('no token is ever logged', () => {
    const logged = JSON.stringify(world.lines);
    for (const secret of [OBSERVER, OPERATOR, 'guess-number', 'an-old-token'])
      expect(logged).not.toContain(secret);
  });
});

describe('what is taken', () => {
  it.each([
    ['/try?colour=red', [{ parameter: 'colour', says: 'unknown; allowed: color, size' }]],
    ['/try?color=green', [{ parameter: 'color', says: 'one of red, blue' }]],
    ['/try?color=red&color=blue', [{ parameter: 'color', says: 'one of red, blue' }]],
    ['/try?size=1&size=2', [{ parameter: 'size', says: 'given more than once' }]],
    ['/try/bare?x=1', [{ parameter: 'x', says: 'unknown' }]],
    ['/try/of/a-name-that-is-much-too-long', [{ parameter: 'name', says: 'at most 20 characters' }]],
  ])('a parameter of %s that cannot be is named, with what is allowed', async (path, errors) => {
    expect(expectProblem(await world.call(path), 400, 'bad-parameter')['errors']).toEqual(errors);
  });

  it('names in paths are decoded', async () => {
    expect(await world.get('/try/of/a%2Fb%20%C3%A4')).toEqual({ said: 'a/b ä' });
  });

  it.each([
    [{}, 'name', 'missing'],
    [{ name: 1 }, 'name', 'expected string'],
    [{ name: 'x', depth: { level: 'y' } }, 'depth.level', /expected (number|int)/],
    [{ name: 'x', depth: { level: 1, more: 1 } }, 'depth.more', 'unknown; allowed: level'],
    [[], '', 'expected object'],
  ])('a body that cannot be is refused with its member: %j', async (given, parameter, says) => {
    const problem = expectProblem(await world.call('/try', { method: 'POST', body: given }), 422, 'bad-body');
    expect(problem['errors']).toEqual([
      { parameter, says: typeof says === 'string' ? says : expect.stringMatching(says) },
    ]);
  });

  it.each([
    ['{"name":', 400, 'bad-json'],
    ['', 400, 'bad-json'],
    ['{"__proto__":{"a":1},"name":"x"}', 400, 'bad-json'],
    [`{"name":"${'x'.repeat(70_000)}"}`, 413, 'too-large'],
  ] as const)('a body %#', async (text, status, code) => {
    const headers = { 'content-type': 'application/json' };
    expectProblem(await world.call('/try', { method: 'POST', body: text, headers }), status, code);
  });

  it('only JSON', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expectProblem(await world.call('/try', { method: 'POST', body: 'name=x', headers }), 415, 'wrong-type');
  });

  it('a path that is not there, one that takes another method, and what is no URL', async () => {
    expectProblem(await world.call('/nothing'), 404, 'no-such-path');
    expectProblem(await world.call('/', {}), 404, 'no-such-path');
    const wrong = await world.call('/try', { method: 'DELETE' });
    expectProblem(wrong, 405, 'wrong-method');
    expect(String(wrong.headers['allow']).split(', ')).toEqual(expect.arrayContaining(['GET', 'POST']));
    expectProblem(await world.call('/try/of/%zz'), 400, 'bad-request');
  });

  it('headers that are too large, and what is no HTTP', async () => {
    expectProblem(
      await world.call('/try/bare', { headers: { 'x-much': 'x'.repeat(20_000) } }),
      431,
      'too-large-headers',
    );
    const text = await new Promise<string>((resolve, reject) => {
      let got = '';
      const socket = connect(world.api.port, '127.0.0.1', () => socket.write('nonsense\r\n\r\n'));
      socket.on('data', (chunk) => (got += String(chunk))).on('error', reject);
      socket.on('close', () => resolve(got));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 [^]*urn:usher:problem:bad-request/);
  });

  it('a fault of ours is told to the log, and to nobody else', async () => {
    const broken = await world.call('/try/broken');
    expectProblem(broken, 500, 'internal');
    expect(broken.text).not.toContain('s3cret');
    expect(world.lines.filter(({ message }) => message === 'a call of the admin API broke')).not.toEqual([]);
  });
});

describe('its life', () => {
  it('a port in use is an error with the port', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const listen = `127.0.0.1:${port}`;
    const config = { ...world.node.config, control: { ...world.node.config.control, listen } };
    await expect(startApi({ ...world.node, config })).rejects.toMatchObject({ code: 'EADDRINUSE', port });
    taken.close();
  });

  it('answers without Redis, and says that it is away where it needs it', async () => {
    const lonely = await startApiWorld({}, { controllers: [TryController], providers: [] });
    await lonely.server.kill();
    await eventually(() => lonely.redis.away);
    expect((await lonely.call('/try/bare')).status).toBe(200);
    expectProblem(await lonely.call('/audit'), 503, 'redis-away');
    await lonely.api.close();
    const again = await startApi(lonely.node);
    expect(again.port).toBeGreaterThan(0);
    await again.close();
    await lonely.stop();
  });

  it('closes while a client keeps its connection', async () => {
    const brief = await startApiWorld();
    const socket = connect(brief.api.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.on('error', () => undefined);
    await brief.api.close();
    await expect(brief.call('/audit')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    socket.destroy();
    await brief.stop();
  });
});
