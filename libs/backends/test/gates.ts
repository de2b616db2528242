import { type BackendConfig, type BreakerConfig, configSchema } from '#usher/config';
import { type BackendAnswer, type Check, silentLog } from '#usher/domain';
import { createSealer } from '#usher/redis';
import type { Adapter, AskOptions } from '../src/adapters/adapter.js';
import { lonely } from '../src/breaker/cluster.js';
import { type Gates, type GatesOptions, openGates } from '../src/gate/open-gates.js';
import { clock } from './checks.js';

/** A backend that does what a test tells it to, and counts. */
export class ToldBackend {
  calls = 0;
  readonly checks: Check[] = [];
  answer: (check: Check, options: AskOptions) => Promise<BackendAnswer> = () => allow();

  constructor(readonly name = 'portal') {}

  ask(check: Check, options: AskOptions): Promise<BackendAnswer> {
    this.calls += 1;
    this.checks.push(check);
    return this.answer(check, options);
  }
}

export function allow(backend = 'portal'): Promise<BackendAnswer> {
  return Promise.resolve({ kind: 'allow', backend, reason: 'backend-allowed', status: 200, tookMs: 1 });
}

export function deny(backend = 'portal'): Promise<BackendAnswer> {
  return Promise.resolve({ kind: 'deny', backend, reason: 'backend-denied', status: 403, tookMs: 1 });
}

export function fail(backend = 'portal'): Promise<BackendAnswer> {
  return Promise.resolve({
    kind: 'unavailable',
    backend,
    because: 'backend',
    reason: 'backend-error',
    detail: 'it answered 500',
    status: 500,
    tookMs: 1,
  });
}

export function busy(backend = 'portal'): Promise<BackendAnswer> {
  return Promise.resolve({
    kind: 'unavailable',
    backend,
    because: 'us',
    reason: 'backend-busy',
    detail: 'it answered 429',
    status: 429,
    tookMs: 1,
  });
}

const sealer = createSealer(['a secret for tests only']);

/** What a test sets of a backend's configuration; times in ms, smaller than an operator may set them. */
export type Settings = Partial<Omit<BackendConfig, 'breaker'>> & {
  readonly breaker?: Partial<BreakerConfig>;
};

/** Gates around told backends, in a process that is alone unless told otherwise. */
export function gatesAround(
  backends: readonly Pick<Adapter, 'name' | 'ask'>[],
  settings: Settings = {},
  options: Partial<GatesOptions> = {},
  groups: Record<string, unknown> = {},
): Gates {
  const plain = { type: 'http', url: 'http://127.0.0.1:9/' };
  const config = configSchema.parse({
    backends: Object.fromEntries(backends.map(({ name }) => [name, plain])),
    groups,
  });
  const set = (own: BackendConfig): BackendConfig => ({
    ...own,
    ...settings,
    breaker: { ...own.breaker, ...settings.breaker },
  });
  return openGates({
    config: {
      ...config,
      backends: Object.fromEntries(Object.entries(config.backends).map(([name, own]) => [name, set(own)])),
    },
    adapters: backends,
    clock,
    random: Math.random,
    log: silentLog,
    cluster: lonely({ id: 'gateway-1', host: 'host-1' }),
    announce: () => {},
    seal: (check) => sealer.seal(JSON.stringify(check), 'check'),
    unseal: (sealed) => {
      const text = sealer.open(sealed, 'check');
      return text === undefined ? undefined : (JSON.parse(text) as Check);
    },
    onLate: () => {},
    onChange: () => {},
    onIsolated: () => {},
    onSuspicious: () => {},
    ...options,
  });
}
