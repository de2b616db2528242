import type { WebhookConfig } from '#usher/config';
import { signingKey } from './signature.js';

/** One webhook, ready to be called. */
export interface Receiver {
  readonly name: string;
  /** Without user and password. */
  readonly url: string;
  /** What those are in a header; empty: none. */
  readonly authorization: string;
  /** The first signs, and so do the others, so that the receiver may change to another one. */
  readonly keys: readonly Buffer[];
  readonly wants: (type: string) => boolean;
  /** For one delivery, ms. */
  readonly timeout: number;
  /** Events in one delivery, at most. */
  readonly batch: number;
  /** Deliveries under way in one process, at most. */
  readonly concurrency: number;
  /** An event is tried so long after it happened, ms. */
  readonly retryFor: number;
  /** Events that wait for it, at most. */
  readonly backlog: number;
}

/** Throws where the secret is no secret. */
export function receiverOf(config: WebhookConfig): Receiver {
  const { name, timeout, batch, concurrency, retryFor, backlog } = config;
  const url = new URL(config.url);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return Object.freeze({
    name,
    url: url.href,
    authorization: credentials === ':' ? '' : `Basic ${Buffer.from(credentials).toString('base64')}`,
    keys: config.secret.map(signingKey),
    wants: typeMatcher(config.events),
    timeout,
    batch,
    concurrency,
    retryFor,
    backlog,
  });
}

/** `session.*` is every type that begins so, `*` is every type, anything else one type. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const starts = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  const types = new Set(patterns.filter((pattern) => !pattern.endsWith('*')));
  return (type) => types.has(type) || starts.some((start) => type.startsWith(start));
}
