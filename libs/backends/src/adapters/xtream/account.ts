/** What a panel says of one login. Absent: it says nothing of it. */
export interface Account {
  readonly isAuthorized: boolean;
  /** In lower case: active, trial, banned, disabled, expired. */
  readonly status: string;
  readonly username: string;
  /** Unix epoch, ms. */
  readonly expiresAt?: number;
  /** None: any number. */
  readonly maxConnections?: number;
  readonly activeConnections: number;
}

/** Later than it, an epoch in seconds is one in milliseconds: the year 5138. */
const SECONDS_END = 100_000_000_000;
const MAX_CONNECTIONS = 1_000_000;

/**
 * Reads what player_api.php answers. Panels differ in their types: numbers come as text, and the other way round, and what
 * is unlimited as null, as 0, as an empty text, or not at all. A `user_info` that is no object is a login that nobody has.
 * Undefined: it is no answer of a panel's.
 */
export function accountIn(body: string): Account | undefined {
  const answer = parsed(body);
  if (typeof answer !== 'object' || answer === null || !Object.hasOwn(answer, 'user_info')) return undefined;
  const info = Object((answer as { user_info: unknown }).user_info) as Record<string, unknown>;
  const max = numberOf(info['max_connections']);
  return {
    isAuthorized: numberOf(info['auth']) === 1,
    status: textOf(info['status']).trim().toLowerCase(),
    username: textOf(info['username']),
    expiresAt: instantOf(info['exp_date']),
    maxConnections: max === undefined || max < 1 ? undefined : Math.min(Math.floor(max), MAX_CONNECTIONS),
    activeConnections: numberOf(info['active_cons']) ?? 0,
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}

/** What cannot be read says nothing: the panel's own `status` knows whether the time is up. */
function instantOf(value: unknown): number | undefined {
  const epoch = numberOf(value);
  if (epoch === undefined || epoch <= 0) return undefined;
  return epoch < SECONDS_END ? epoch * 1000 : epoch;
}

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  return /^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/.test(value) ? Number(value) : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
