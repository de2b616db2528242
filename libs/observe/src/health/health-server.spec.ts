import { silentLog } from '#usher/domain';
import type { LogFields } from '#usher/domain';
import { Metrics } from '../metrics/metrics.js';
import { METRICS } from '../metrics/catalogue.js';
import type { HealthContribution } from './contribution.js';
import { HealthServer } from './health-server.js';

interface Role extends HealthContribution {
  isReady: boolean;
  problems: string[];
  about: Record<string, unknown>;
}

function role(name: string): Role {
  const state: Role = {
    name,
    isReady: true,
    problems: [],
    about: {},
    ready: () => state.isReady,
    degraded: () => state.problems,
    details: () => state.about,
  };
  return state;
}

interface Body {
  status: string;
  details: Record<string, Record<string, unknown>>;
}

let closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function start(...contributions: HealthContribution[]) {
  const metrics = new Metrics();
  const said: [fields: LogFields, message: string][] = [];
  const record = (fields: LogFields, message: string) => void said.push([fields, message]);
  const server = new HealthServer({
    address: '127.0.0.1:0',
    setting: 'health.gateway',
    contributions,
    metrics,
    log: { ...silentLog, info: record, warn: record, error: record },
  });
  closers.push(
    () => server.close(),
    () => metrics.close(),
  );
  const port = await server.listen();
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const health = async (path: string) => {
    const { status, text } = await get(`/health/${path}`);
    return { status, body: JSON.parse(text) as Body };
  };
  return { server, metrics, port, get, health, said };
}

describe('HealthServer', () => {
  it('is live, ready and started when its roles are', async () => {
    const gateway = role('gateway');
    gateway.about = { checks: 12 };
    const { health } = await start(gateway);
    for (const path of ['live', 'ready', 'startup']) expect((await health(path)).status).toBe(200);
    expect((await health('ready')).body).toMatchObject({
      status: 'ok',
      details: { gateway: { status: 'up', checks: 12 } },
    });
  });

  it('stays ready with a broken backend or Redis, and says what is broken', async () => {
    const gateway = role('gateway');
    gateway.problems = ['backend portal is suspended', 'Redis is away'];
    const { health } = await start(gateway);
    expect(await health('ready')).toMatchObject({
      status: 200,
      body: {
        status: 'degraded',
        details: {
          gateway: { status: 'degraded', problems: ['backend portal is suspended', 'Redis is away'] },
        },
      },
    });
  });

  it('is not ready while one of its roles is not, and tells a change once', async () => {
    const [gateway, worker] = [role('gateway'), role('worker')];
    const { health, said } = await start(gateway, worker);
    await health('ready');
    worker.isReady = false;
    expect(await health('ready')).toMatchObject({
      status: 503,
      body: { status: 'error', details: { gateway: { status: 'up' }, worker: { status: 'down' } } },
    });
    await health('ready');
    expect((await health('live')).status).toBe(200);
    expect((await health('startup')).status).toBe(200);
    worker.isReady = true;
    expect((await health('ready')).status).toBe(200);
    expect(said).toEqual([
      [{ role: 'worker' }, 'not ready'],
      [{ role: 'worker' }, 'ready again'],
    ]);
  });

  it('has not started before each role was ready once, even if only the start is asked about', async () => {
    const worker = role('worker');
    worker.isReady = false;
    const { health } = await start(worker);
    expect((await health('startup')).status).toBe(503);
    worker.isReady = true;
    expect((await health('startup')).status).toBe(200);
    worker.isReady = false;
    expect((await health('startup')).status).toBe(200);
  });

  it('is live and not ready while it drains', async () => {
    const { server, health } = await start(role('gateway'));
    server.setDraining();
    expect(await health('ready')).toMatchObject({
      status: 503,
      body: { details: { gateway: { status: 'down', message: 'draining' } } },
    });
    expect((await health('live')).status).toBe(200);
  });

  it('takes a role that cannot say how it is for down, and shows nothing of the fault', async () => {
    const broken = role('worker');
    broken.degraded = () => {
      throw new Error('redis://:s3cret@10.0.0.1');
    };
    const { get } = await start(broken);
    const { status, text } = await get('/health/ready');
    expect(status).toBe(503);
    expect(text).not.toContain('s3cret');
  });

  it('shows no secret that a role lets slip', async () => {
    const gateway = role('gateway');
    gateway.about = { redis: 'redis://:s3cret@10.0.0.1:6379', password: 's3cret', status: 'mine' };
    gateway.problems = ['GET http://portal/x?token=s3cret timed out'];
    const { get } = await start(gateway);
    const { status, text } = await get('/health/ready');
    expect(status).toBe(200);
    expect(text).not.toContain('s3cret');
  });

  it('serves the metrics of the process', async () => {
    const { get, metrics } = await start(role('gateway'));
    metrics.read(METRICS.knownViewers, () => [{ value: 3 }]);
    const { status, headers, text } = await get('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toContain('\nusher_known_viewers 3\n');
  });

  it('serves nothing else', async () => {
    const { get } = await start(role('gateway'));
    expect((await get('/')).status).toBe(404);
    expect((await get('/health')).status).toBe(404);
  });

  it('names port and setting when the port is in use', async () => {
    const { port } = await start(role('gateway'));
    const metrics = new Metrics();
    const second = new HealthServer({
      address: `127.0.0.1:${port}`,
      setting: 'health.worker',
      contributions: [role('worker')],
      metrics,
      log: silentLog,
    });
    closers.push(
      () => second.close(),
      () => metrics.close(),
    );
    await expect(second.listen()).rejects.toThrow(
      `health: 127.0.0.1:${port} is in use; set health.worker to another address`,
    );
  });

  it('closes at once while a probe keeps its connection', async () => {
    const { server, port } = await start(role('gateway'));
    await (
      await fetch(`http://127.0.0.1:${port}/health/live`, { headers: { connection: 'keep-alive' } })
    ).text();
    await server.close();
    await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow('fetch failed');
  });

  it('refuses roles without a name of their own, and addresses that are none', () => {
    const metrics = new Metrics();
    closers.push(() => metrics.close());
    const options = { address: '127.0.0.1:0', setting: 'health.gateway', metrics, log: silentLog };
    expect(() => new HealthServer({ ...options, contributions: [role('a'), role('a')] })).toThrow(
      'two roles',
    );
    expect(() => new HealthServer({ ...options, contributions: [] })).toThrow('at least one');
    for (const address of ['9064', ':9064', 'host', 'host:x', 'host:70000', '']) {
      expect(() => new HealthServer({ ...options, address, contributions: [role('a')] })).toThrow(
        'no address',
      );
    }
  });
});
