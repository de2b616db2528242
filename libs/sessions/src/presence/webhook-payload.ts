import { isObject, readListedSession } from './listed-session.js';
import type { ListedSession } from './listed-session.js';

/** One notice names no more sessions. */
const MAX_NAMED = 1_000;

/**
 * The sessions that a notice of Astra's sessions webhook calls closed. UNVERIFIED: what Astra sends is not documented,
 * only that an event comes when a session closes. So whatever names a session is taken: the fields of the session list,
 * in one object, in a list, or below `session`, `sessions` or `data`; as JSON, or as a form. A notice that says that a
 * session opened closes nothing.
 */
export function readWebhookPayload(payload: unknown): ListedSession[] {
  const text = Buffer.isBuffer(payload) ? payload.toString('utf8') : payload;
  return sessionsIn(typeof text === 'string' ? parsed(text) : text, 0).slice(0, MAX_NAMED);
}

function sessionsIn(payload: unknown, depth: number): ListedSession[] {
  if (depth > 3) return [];
  if (Array.isArray(payload)) return payload.slice(0, MAX_NAMED).flatMap((one) => sessionsIn(one, depth + 1));
  if (!isObject(payload) || isOpening(payload)) return [];
  for (const field of ['sessions', 'session', 'data']) {
    const inner = Object.hasOwn(payload, field) ? payload[field] : undefined;
    if (typeof inner === 'object' && inner !== null) return sessionsIn(inner, depth + 1);
  }
  const session = readListedSession(payload);
  return session === undefined ? [] : [session];
}

function isOpening(payload: Readonly<Record<string, unknown>>): boolean {
  return ['event', 'type', 'action'].some((field) => {
    const value = Object.hasOwn(payload, field) ? payload[field] : undefined;
    return (
      typeof value === 'string' &&
      /open|start|begin|connect/i.test(value) &&
      !/clos|dis|end|stop/i.test(value)
    );
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return Object.fromEntries(new URLSearchParams(text));
  }
}
