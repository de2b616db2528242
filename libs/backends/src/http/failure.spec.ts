import { ExchangeFailed, type Phase } from './exchange-error.js';
import { backendFailure } from './failure.js';

const broken = (code: string, phase: Phase): ExchangeFailed =>
  new ExchangeFailed('broken', phase, false, Object.assign(new Error('GET /?token=123'), { code }));

it.each<[string, Phase, boolean, string, string]>([
  ['ECONNREFUSED', 'connect', false, 'backend', 'backend-unreachable'],
  ['ENOTFOUND', 'connect', true, 'backend', 'backend-unreachable'],
  ['EAI_AGAIN', 'connect', false, 'backend', 'backend-unreachable'],
  ['EHOSTUNREACH', 'connect', true, 'backend', 'backend-unreachable'],
  ['UND_ERR_CONNECT_TIMEOUT', 'connect', true, 'backend', 'backend-timeout'],
  ['ECONNRESET', 'connect', true, 'backend', 'backend-tls'],
  ['ECONNRESET', 'connect', false, 'backend', 'backend-unreachable'],
  ['ECONNRESET', 'headers', true, 'backend', 'backend-unreachable'],
  ['CERT_HAS_EXPIRED', 'connect', true, 'backend', 'backend-tls'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'connect', true, 'backend', 'backend-tls'],
  ['EPROTO', 'headers', true, 'backend', 'backend-tls'],
  ['UND_ERR_SOCKET', 'headers', false, 'backend', 'backend-unreachable'],
  ['UND_ERR_SOCKET', 'body', false, 'backend', 'backend-malformed'],
  ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'body', false, 'backend', 'backend-malformed'],
  ['EMFILE', 'connect', false, 'us', 'internal'],
  ['EADDRNOTAVAIL', 'connect', true, 'us', 'internal'],
  ['UND_ERR_DESTROYED', 'connect', false, 'us', 'internal'],
  ['UND_ERR_INVALID_ARG', 'connect', true, 'us', 'internal'],
])('%s in phase %s (TLS: %s) is the fault of %s: %s', (code, phase, secure, because, reason) => {
  const failure = backendFailure(broken(code, phase), secure, 1000);
  expect(failure).toMatchObject({ kind: 'unavailable', because, reason });
  expect(failure.detail).toContain(code);
  expect(failure.detail).not.toContain('123');
});

it('says how far a call had come when its time was up', () => {
  const failure = backendFailure(new ExchangeFailed('timeout', 'headers', false), false, 1000);
  expect(failure).toMatchObject({
    reason: 'backend-timeout',
    detail: 'connected, but no answer within 1000 ms',
  });
});
