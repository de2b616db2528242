import { type BackendConfig, configSchema } from '#usher/config';
import type { Check, Clock } from '#usher/domain';

export const clock: Clock = { monotonic: () => performance.now(), now: () => Date.now() };

export function aCheck(parts: Partial<Check> = {}): Check {
  return {
    id: 'check-1',
    dialect: 'astra',
    edge: 'astra-1',
    sessionId: '42',
    sessionGiven: true,
    channel: 'a001',
    ip: '192.0.2.7',
    path: '/play/a001/index.m3u8',
    userAgent: 'VLC/3',
    host: 'live.example.com',
    origin: '',
    query: 'token=123',
    ...parts,
  };
}

/** A backend as the configuration gives it, with all defaults. */
export function aBackend(parts: Record<string, unknown>): BackendConfig {
  return configSchema.parse({ backends: { portal: parts } }).backends['portal']!;
}
