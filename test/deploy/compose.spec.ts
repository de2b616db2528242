import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadConfig } from '#usher/config';
import { parse } from 'yaml';

const read = (name: string): string => readFileSync(name, 'utf8');

interface Service {
  image?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  networks?: string[] | Record<string, { ipv4_address: string }>;
  deploy?: { replicas: number };
  healthcheck?: { test: string[]; interval: string };
  depends_on?: Record<string, { condition: string }>;
}
const { services, volumes } = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const nginx = read('deploy/nginx.conf').replace(/#.*$/gm, '');

const running = (what: string): [string, Service][] =>
  Object.entries(services).filter(([, { command }]) => command?.[1] === what || command?.[0] === what);

describe('docker-compose.yml', () => {
  it('runs two gateways, two workers, one control, the demo backend', () => {
    expect(running('gateway').map(([name]) => name)).toEqual(['gateway-1', 'gateway-2']);
    expect(running('worker').map(([, { deploy }]) => deploy?.replicas)).toEqual([2]);
    expect(running('control')).toHaveLength(1);
    expect(running('demo-backend')).toHaveLength(1);
  });

  it('has every service say how it is, and waits for whom it needs to be healthy', () => {
    for (const { healthcheck, depends_on: needed = {} } of Object.values(services)) {
      expect(healthcheck?.test[0]).toBe('CMD');
      expect(healthcheck?.interval).toBe('5s');
      for (const [name, { condition }] of Object.entries(needed)) {
        expect(condition).toBe('service_healthy');
        expect(Object.keys(services)).toContain(name);
      }
    }
    expect(Object.keys(services.balancer!.depends_on!)).toEqual(['gateway-1', 'gateway-2']);
  });

  it('publishes the edges’ port, and the operators’ on loopback only', () => {
    const published = Object.values(services).flatMap(({ ports = [] }) => ports);
    expect(published.sort()).toEqual(['1064:1064', '127.0.0.1:9067:9067']);
  });

  it('keeps what Redis holds, and lets it drop nothing', () => {
    const { command = [], volumes: mounted = [] } = services.redis!;
    const settings = command.join(' ');
    expect(settings).toContain('--appendonly yes');
    expect(settings).toContain('--maxmemory-policy noeviction');
    expect(mounted).toEqual(['redis:/data']);
    expect(Object.keys(volumes)).toContain('redis');
  });

  it('gives every process settings that it can start with, and one secret', () => {
    const cwd = mkdtempSync(join(tmpdir(), 'usher-compose-'));
    try {
      for (const [, { environment = {} }] of ['gateway', 'worker', 'control'].flatMap(running)) {
        const { USHER_CONFIG: file, USHER_SECRET: secret, ...env } = environment;
        expect(file).toBe('/etc/usher/usher.yaml');
        expect(secret).toMatch(/^\$\{USHER_SECRET:\?/);
        const { config, warnings } = loadConfig({
          argv: { config: resolve('deploy/usher.yaml') },
          env,
          cwd,
        });
        expect(warnings).toEqual([]);
        expect(config.redis.url).toBe('redis://redis:6379');
        expect(config.backends.demo!.url).toBe('http://demo:1065/check');
      }
    } finally {
      rmSync(cwd, { recursive: true });
    }
  });

  it('has the gateways believe the load balancer, and nobody else, about who asks', () => {
    const { inside } = services.balancer!.networks as Record<string, { ipv4_address: string }>;
    const { config } = loadConfig({
      argv: { config: resolve('deploy/usher.yaml') },
      env: {},
      cwd: process.cwd(),
    });
    expect(config.gateway.proxies).toEqual([inside!.ipv4_address]);
  });
});

describe('the load balancer', () => {
  it('passes what an edge says of its viewer as it is', () => {
    const set = [...nginx.matchAll(/proxy_set_header\s+(\S+)/g)].map(([, name]) => name!.toLowerCase());
    expect(set.sort()).toEqual(['connection', 'host', 'x-forwarded-for']);
    // The edge's own hops stay, and who asks is the last one.
    expect(nginx).toContain('proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;');
    expect(nginx).toMatch(/proxy_pass http:\/\/gateways;/);
    expect(nginx).not.toMatch(/\brewrite\b|real_ip/);
  });

  it('asks every gateway of the composition', () => {
    const asked = [...nginx.matchAll(/server (\S+):1064/g)].map(([, name]) => name);
    expect(asked).toEqual(running('gateway').map(([name]) => name));
  });

  it('writes no request, and so no token, to a log', () => {
    expect(nginx).toContain('access_log off;');
    expect(nginx).toContain('error_log /dev/stderr crit;');
  });
});

describe('the image', () => {
  const stages = read('Dockerfile')
    .split(/^FROM /m)
    .slice(1);

  it('is built apart from where it runs, without what only building needs', () => {
    expect(stages).toHaveLength(2);
    expect(stages[0]).toContain('npm prune --omit=dev');
    expect(stages[1]).not.toMatch(/npm|COPY \. /);
  });

  it('runs as a user who is not root', () => {
    expect(stages[1]).toMatch(/^USER node$/m);
  });
});
