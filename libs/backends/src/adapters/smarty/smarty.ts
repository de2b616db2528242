import { scriptAddress } from '../../http/address.js';
import { deny, failed, type Verdict } from '../../http/verdict.js';
import type { Middleware } from '../middleware.js';

/** Without its trailing slash the server only redirects to it. */
const SCRIPT = '/tvmiddleware/api/streamservice/token/check/';

/** `error`: 0 valid; 1 expired, 2 made for other content, 3 made for another IP (Smarty's API documentation, 1.98). */
const VALID = 0;
const REFUSED = new Set([1, 2, 3]);

/**
 * UNVERIFIED: which HTTP status comes with an `error` other than 0. Assumed: any; so a known `error` decides at every
 * status, and an allow needs both, 200 and 0.
 */
const BODY_DECIDES = (status: number): boolean => status !== 401 && status !== 403;

/** What an edge is told where the refusal stands in the body: the status beside it may be 200. */
const STATUS_OF_A_REFUSAL = 403;

/** Microimpuls Smarty, StreamServiceTokenCheck. The viewer's query goes as it is; `ip` and `name` are not added to it. */
export const smarty: Middleware = {
  sees: ['query', 'ip', 'channel'],
  otherStatus: 'failed',
  settings: [],
  address: (url) => {
    const script = scriptAddress(url, SCRIPT, /\/token\/check\/?$/);
    if (!script.pathname.endsWith('/')) script.pathname += '/';
    return script;
  },
  rules: () => ({
    needsBody: BODY_DECIDES,
    judge: (reply, byStatus): Verdict => {
      if (!BODY_DECIDES(reply.status)) return byStatus;
      const error = errorIn(reply.body);
      if (error !== undefined && REFUSED.has(error)) return deny(STATUS_OF_A_REFUSAL);
      if (byStatus.kind !== 'allow' || error === VALID) return byStatus;
      return failed(
        'backend-malformed',
        error === undefined ? 'status 200 without a JSON field `error`' : `status 200 with error ${error}`,
      );
    },
  }),
};

/** The number in `error`, which may be written as text. */
function errorIn(body: string): number | undefined {
  try {
    const { error } = Object(JSON.parse(body)) as { error?: unknown };
    return /^\d{1,9}$/.test(String(error)) && ['number', 'string'].includes(typeof error)
      ? Number(error)
      : undefined;
  } catch {
    return undefined;
  }
}
