import { maskText } from '#usher/observe';
import { addressOf, type ApiRequest } from '../endpoint/api-request.js';
import type { EndpointFacts } from '../endpoint/endpoint.js';

/** A call that changes something, as the audit log has it. */
export interface Change {
  /** The token's name. */
  readonly by: string;
  readonly role: string;
  readonly from: string;
  /** In words: the endpoint's summary. */
  readonly what: string;
  readonly method: string;
  /** With its parts, without its query. */
  readonly path: string;
  /** What was sent, as JSON: bounded, without secrets. */
  readonly body: string;
}

const MAX_PATH = 512;
const MAX_BODY = 1_024;
/** Members whose values may be secrets. */
const SECRET = /token|secret|pass|credential|query|url|auth|cookie|key$/i;

/** Before the body was checked: it may hold anything. */
export function changeOf(request: ApiRequest, { summary }: EndpointFacts): Change {
  const { caller, method, url, body } = request;
  return {
    by: caller?.name ?? '',
    role: caller?.role ?? '',
    from: addressOf(request),
    what: summary,
    method,
    path: (url.split('?')[0] ?? '').slice(0, MAX_PATH),
    body: shown(body),
  };
}

function shown(body: unknown): string {
  if (body === undefined || body === null) return '';
  const text = JSON.stringify(body, (name, value: unknown) => {
    if (typeof value === 'object' || value === undefined) return value;
    if (SECRET.test(name)) return '***';
    return typeof value === 'string' ? maskText(value.slice(0, MAX_BODY)) : value;
  });
  return text.length <= MAX_BODY ? text : `${text.slice(0, MAX_BODY)}…`;
}
