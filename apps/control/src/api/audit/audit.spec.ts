import { Body, Controller, Delete, HttpCode, Param, Post } from '@nestjs/common';
import { eventually } from '#usher/testing';
import { z } from 'zod';
import { Endpoint } from '../endpoint/endpoint.js';
import { OBSERVER, startApiWorld, type ApiWorld } from '../for-tests.js';
import { Problem } from '../problems/problem.js';
import type { AuditEntry } from './audit-log.js';

const body = z.strictObject({
  kind: z.string(),
  token: z.string().optional(),
  url: z.string().optional(),
  why: z.string().optional(),
});
const facts = { answer: z.strictObject({ ok: z.boolean() }), example: { ok: true } };

/** Changes that change nothing: what a route has to do for the audit log is nothing. */
@Controller('things')
class ThingsController {
  @Post()
  @HttpCode(202)
  @Endpoint({ ...facts, summary: 'Make a thing', body })
  make(@Body() { kind }: z.output<typeof body>) {
    if (kind === 'late') throw new Problem('not-now', 'It is too late for that.');
    if (kind === 'broken') throw new Error('it broke');
    return { ok: true };
  }

  @Delete(':name')
  @Endpoint({ ...facts, summary: 'Remove a thing' })
  remove(@Param() _name: { name: string }) {
    return { ok: true };
  }

  @Post('look')
  @Endpoint({ ...facts, summary: 'Look', body, changesNothing: true })
  look() {
    return { ok: true };
  }
}

let world: ApiWorld;
beforeEach(async () => {
  world = await startApiWorld({}, { controllers: [ThingsController], providers: [] });
});
afterEach(() => world.stop());

const make = (body: unknown, token?: string) => world.call('/things', { method: 'POST', body, token });
const entries = async (query = ''): Promise<AuditEntry[]> =>
  ((await world.get(`/audit${query}`)) as { entries: AuditEntry[] }).entries;

describe('the audit log', () => {
  it('knows every change: who, from where, what, with what, when, and what came of it', async () => {
    const before = world.clock.now();
    expect((await make({ kind: 'box' })).status).toBe(202);
    await world.call('/things/a%2Fb', { method: 'DELETE', from: '127.0.0.4' });
    const [removed, made] = await entries();
    expect(made).toMatchObject({
      by: 'anna',
      role: 'operator',
      from: '127.0.0.1',
      what: 'Make a thing',
      method: 'POST',
      path: '/api/v1/things',
      body: '{"kind":"box"}',
      status: 202,
      result: 'done',
    });
    expect(Date.parse(String(made!.at))).toBeGreaterThanOrEqual(Math.floor(before));
    expect(removed).toMatchObject({
      what: 'Remove a thing',
      path: '/api/v1/things/a%2Fb',
      from: '127.0.0.4',
      body: '',
    });
  });

  it('knows the changes that were refused or broke, too', async () => {
    await make({ kind: 'box' }, OBSERVER);
    await make({ kind: 1 });
    await make({ kind: 'late' });
    await make({ kind: 'broken' });
    expect((await entries()).map(({ by, status, result }) => [by, status, result])).toEqual([
      ['anna', 500, 'internal'],
      ['anna', 409, 'not-now'],
      ['anna', 422, 'bad-body'],
      ['watcher', 403, 'role-too-low'],
    ]);
  });

  it('knows nothing of looking, nor of strangers', async () => {
    await world.call('/things/look', { method: 'POST', body: { kind: 'x' }, token: OBSERVER });
    await make({ kind: 'x' }, 'a-token-of-nobody-at-all');
    await world.get('/audit');
    expect(await entries()).toEqual([]);
  });

  it('holds no secret, and no endless text', async () => {
    await make({ kind: 'x', token: 's3cret', url: 'http://a/?t=s3cret', why: 'see http://a/?token=s3cret' });
    await make({ kind: 'x'.repeat(10_000) });
    const [long, secret] = await entries();
    expect(JSON.parse(secret!.body)).toEqual({
      kind: 'x',
      token: '***',
      url: '***',
      why: 'see http://a/?token=***',
    });
    expect(long!.body.length).toBeLessThan(1_100);
    expect(JSON.stringify(world.lines)).not.toContain('s3cret');
  });

  it('is read in pages, by name, and since a time', async () => {
    for (let i = 0; i < 5; i += 1) await make({ kind: `k${i}` });
    await make({ kind: 'x' }, OBSERVER);
    const first = await world.get('/audit?limit=4');
    const second = await world.get(`/audit?limit=4&cursor=${first.cursor}`);
    const kinds = [...first.entries, ...second.entries].map(
      (one: AuditEntry) => (JSON.parse(one.body) as { kind: string }).kind,
    );
    expect(kinds).toEqual(['x', 'k4', 'k3', 'k2', 'k1', 'k0']);
    expect(second.cursor).toBeUndefined();
    expect(await entries('?by=watcher')).toHaveLength(1);
    expect(await entries('?since=2100-01-01T00:00:00Z')).toEqual([]);
    expect(await entries('?since=1h')).toHaveLength(6);
    for (const query of ['limit=0', 'limit=501', 'since=yesterday', 'cursor=abc']) {
      expect(await world.call(`/audit?${query}`)).toMatchObject({ status: 400 });
    }
  });

  it('is bounded in number and time', async () => {
    await make({ kind: 'box' });
    const ttl = Number(await world.server.cli('TTL', 'usher:audit'));
    expect(ttl).toBeGreaterThan(7_775_000);
    expect(ttl).toBeLessThanOrEqual(7_776_000);
    const full = Array.from({ length: 10_200 }, () =>
      world.redis.call('XADD', ['usher:audit', '*', 'at', 1, 'status', 1]),
    );
    await Promise.all(full);
    await make({ kind: 'box' });
    expect(Number(await world.server.cli('XLEN', 'usher:audit'))).toBeLessThan(10_200);
  });

  it('waits for a Redis that is away, and is written once when it is back', async () => {
    await world.server.kill();
    await eventually(() => world.redis.away);
    expect((await make({ kind: 'first' })).status).toBe(202);
    expect((await make({ kind: 'second' })).status).toBe(202);
    expect(world.lines.filter(({ message }) => message.startsWith('audit: a change'))).toHaveLength(2);
    await world.server.restart();
    await eventually(async () =>
      expect((await entries()).map(({ body: sent }) => sent)).toEqual([
        '{"kind":"second"}',
        '{"kind":"first"}',
      ]),
    );
  });
});
