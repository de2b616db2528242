import { plainAddress } from '../plain-address.js';

/** One session as an edge lists it. Strings are byte strings, as everywhere; what the edge does not say is missing. */
export interface ListedSession {
  readonly id?: string;
  readonly channel?: string;
  readonly ip?: string;
  /** For how long it has run, ms. */
  readonly uptime?: number;
}

/** What is more is left out: no edge serves so many. */
const MAX_LISTED = 100_000;
const MAX_NAME = 1024;

/**
 * Astra's answer to {"cmd":"sessions"}: {"sessions":[{"client_id", "channel_id", "channel_name", "addr", "uptime"}]},
 * uptime in seconds (Astra's API documentation; in its older text client_id is a number, in its newer one a string).
 * Undefined where it is no such list; entries that are no objects, or name nothing, are left out.
 */
export function readSessionList(answer: unknown): ListedSession[] | undefined {
  const list = Array.isArray(answer) ? answer : isObject(answer) ? answer['sessions'] : undefined;
  if (!Array.isArray(list)) return undefined;
  return list
    .slice(0, MAX_LISTED)
    .map(readListedSession)
    .filter((session) => session !== undefined);
}

/** The one place that knows the names of the fields, in the session list and (UNVERIFIED) in the webhook. */
export function readListedSession(entry: unknown): ListedSession | undefined {
  if (!isObject(entry)) return undefined;
  const id = text(entry, 'client_id', 'session_id', 'id');
  const channel = text(entry, 'channel_id', 'channel');
  const ip = text(entry, 'addr', 'ip', 'address');
  if (id === undefined && (channel === undefined || ip === undefined)) return undefined;
  const seconds = Number(entry['uptime'] ?? Number.NaN);
  return {
    id,
    channel,
    ip: ip === undefined ? undefined : addressOf(ip),
    uptime: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined,
  };
}

/** Without a port. */
export function addressOf(text: string): string {
  const bare = /^\[(.+)\](:\d+)?$/.exec(text)?.[1] ?? text.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return plainAddress(bare);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first of these fields that holds a text or a number. */
function text(entry: Readonly<Record<string, unknown>>, ...fields: readonly string[]): string | undefined {
  for (const field of fields) {
    const value = Object.hasOwn(entry, field) ? entry[field] : undefined;
    if (typeof value === 'number' && Number.isFinite(value)) return String(value);
    if (typeof value === 'string' && value !== '' && value.length <= MAX_NAME) {
      return Buffer.from(value, 'utf8').toString('latin1');
    }
  }
  return undefined;
}
