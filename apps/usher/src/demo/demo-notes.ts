import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { Config } from '#usher/config';
import { sessionKey, shardOf } from '#usher/redis';
import { DEMO_TOKEN, DEMO_USER } from './demo-backend.js';

/** The name of the demo's backend in the configuration. */
export const DEMO_BACKEND = 'demo';

const EDGE = 'astra-1';
const SESSION = 'try-1';

/** What to try on an Usher that runs with the demo backend. */
export function demoNotes(config: Config, demoOrigin: string): string {
  const port = config.gateway.listen.slice(config.gateway.listen.lastIndexOf(':') + 1);
  const check = (token: string, session: string, ip: string) =>
    `curl -i 'http://127.0.0.1:${port}/e/${EDGE}/check?token=${token}' -H 'X-Session-ID: ${session}'` +
    ` -H 'X-Channel-ID: a001' -H 'X-Real-IP: ${ip}' -H 'X-Real-Path: /play/a001/index.m3u8'`;
  const shard = shardOf(`${DEMO_BACKEND}/${DEMO_USER}`, config.redis.shards);
  return `
Usher runs. There is no usher.yaml, so it asks a demo backend, ${demoOrigin}, which lets in token=${DEMO_TOKEN}.
Try, in another terminal:

  An allowed check:
    ${check(DEMO_TOKEN, SESSION, '203.0.113.7')}
  A denied one; without Astra's headers the answer says why:
    curl -i 'http://127.0.0.1:${port}/e/${EDGE}/check?token=wrong'
  The session in Redis:
    redis-cli -u ${config.redis.url} hgetall '${sessionKey(shard, EDGE, SESSION)}'
  Stop the demo backend:
    curl -X POST ${demoOrigin}/stop
  A viewer whom nobody knows is let in on trust now, as Astra would by itself (X-Usher-Source: fail-open):
    ${check('new', 'try-2', '203.0.113.9')}
  Start it again:
    curl -X POST ${demoOrigin}/start

  Who is watching (the admin API; docs/api.md):
    curl -H "Authorization: Bearer $(cat ${join(config.data, 'admin-token')})" ${operatorsOrigin(config)}/api/v1/sessions

  In Astra: Settings → HTTP Auth → Backend Type "HTTP Request", Backend Address
    http://${machineAddress()}:${port}/e/${EDGE}/check

Your own middleware: usher.yaml (see usher.example.yaml). Ctrl-C ends Usher.
`;
}

/** Where this machine's operators ask. */
function operatorsOrigin({ control: { listen } }: Config): string {
  return `http://${listen.replace(/^(0\.0\.0\.0|\[::\])(?=:)/, '127.0.0.1')}`;
}

/** This machine's address for others: its first IPv4 address that is not loopback. */
function machineAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
}
