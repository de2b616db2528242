import { canaryKey, type RedisClient } from '#usher/redis';
import { CANARIES, NOTHING_SHOWN, type CanaryRecord, type CanaryShown } from './canary-record.js';

/** Raised only for a change that version N-1 could not read. */
const VERSION = 1;
/** A canary that was right once is believed so long after the last round, ms. */
const KEPT = 86_400_000;
/** Nobody's answer waits for it, ms. */
const TIMEOUT = 1_000;

/** Keeps what a backend's canaries have shown, for the cluster. Methods reject as RedisClient does. */
export class CanaryKeeper {
  constructor(private readonly redis: Pick<RedisClient, 'call'>) {}

  /** What this version cannot read has not been shown. */
  async read(backend: string): Promise<CanaryRecord> {
    const text = await this.redis.call('GET', [canaryKey(backend)], TIMEOUT);
    return typeof text === 'string' ? recordIn(text) : NOTHING_SHOWN;
  }

  /** Only by who holds the lease. */
  async write(backend: string, record: CanaryRecord): Promise<void> {
    const text = JSON.stringify({ version: VERSION, ...record });
    await this.redis.call('SET', [canaryKey(backend), text, 'PX', KEPT], TIMEOUT);
  }
}

function recordIn(text: string): CanaryRecord {
  const read = fieldsOf(text);
  const { version, since, until } = read;
  if (version !== VERSION || typeof since !== 'number' || typeof until !== 'number') return NOTHING_SHOWN;
  const shown = CANARIES.map((name) => [name, read[name]]).filter(([, one]) => isShown(one));
  return { since, until, ...(Object.fromEntries(shown) as Partial<CanaryRecord>) };
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

function isShown(value: unknown): value is CanaryShown {
  const { request, right, inARow, wrong, proven } = Object(value) as Readonly<Record<string, unknown>>;
  const flags = [right, wrong, proven].every((flag) => typeof flag === 'boolean');
  return typeof request === 'string' && typeof inARow === 'number' && flags;
}
