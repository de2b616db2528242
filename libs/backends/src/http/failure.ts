import { errors } from 'undici';
import type { ReasonCode } from '#usher/domain';
import type { ExchangeFailed, Phase } from './exchange-error.js';
import { failed, notNow, type Unavailable } from './verdict.js';

const WAITED_FOR: Record<Phase, string> = {
  connect: 'no connection',
  headers: 'connected, but no answer',
  body: 'an answer began, but did not end',
};

/** Out of descriptors, ports or memory on this machine: the backend has no part in it. */
const OURS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/** No connection for a reason below TLS. */
const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EACCES',
  'EPERM',
]);

const BY_CODE: Readonly<Record<string, ReasonCode>> = {
  UND_ERR_CONNECT_TIMEOUT: 'backend-timeout',
  UND_ERR_HEADERS_OVERFLOW: 'backend-oversized',
  HPE_HEADER_OVERFLOW: 'backend-oversized',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'backend-oversized',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'backend-malformed',
};

/** Whose fault it is that a call brought no answer, and which. Told by codes, never by an error's text. */
export function backendFailure(error: ExchangeFailed, secure: boolean, timeoutMs: number): Unavailable {
  if (error.how === 'timeout') {
    return failed('backend-timeout', `${WAITED_FOR[error.phase]} within ${Math.round(timeoutMs)} ms`);
  }
  const { code, phase } = error;
  if (OURS.has(code)) return notNow('internal', `this machine is out of something: ${code}`);
  const reason = BY_CODE[code] ?? reasonOf(error, secure);
  const named = code === '' ? ((error.cause as Error | undefined)?.name ?? 'unknown') : code;
  return reason === 'internal'
    ? notNow(reason, `the call could not be made: ${named}`)
    : failed(reason, `${reason.slice('backend-'.length)} in phase ${phase}: ${named}`);
}

function reasonOf({ code, phase, cause }: ExchangeFailed, secure: boolean): ReasonCode {
  // Destroyed, closed, or an argument that undici refuses: a fault of this program.
  if (/^UND_ERR_(?:DESTROYED|CLOSED|INVALID_ARG|NOT_SUPPORTED)$/.test(code)) return 'internal';
  if (NETWORK.has(code)) return 'backend-unreachable';
  // All else that goes wrong before an encrypted connection stands is the handshake's: X.509 has dozens of codes.
  if (secure && (phase === 'connect' || code === 'EPROTO' || code.startsWith('ERR_SSL_')))
    return 'backend-tls';
  // Seen: undici 7 leaves its parser's code out.
  if (cause instanceof errors.HTTPParserError) return 'backend-malformed';
  return phase === 'body' ? 'backend-malformed' : 'backend-unreachable';
}
