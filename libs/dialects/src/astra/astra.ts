import type { Decision } from '#usher/domain';
import { CESBO_METHODS, cesboFacts } from '../cesbo/facts.js';
import { headerSafe, redirectHeaders } from '../cesbo/redirect.js';
import type { Dialect, DialectType, EdgeAnswer, EdgeRequest } from '../dialect.js';

/** Astra is documented to deny on 401 and 403; what it does with 5xx is not, so nothing of ours is a 5xx. */
const REFUSED = 403;

/**
 * UNVERIFIED: whether Astra of today follows a redirect's status ("HTTP Backend authorization supports redirects",
 * changelog), so a backend's own 3xx or 4xx passes through as it is; anything else becomes REFUSED.
 */
function denialStatus(status: number | undefined): number {
  return status !== undefined && status >= 300 && status < 500 ? status : REFUSED;
}

const dialect: Dialect = {
  parse: (request: EdgeRequest) => ({ kind: 'check', facts: cesboFacts(request) }),
  render(decision: Decision): EdgeAnswer {
    const headers = redirectHeaders(decision);
    if (!decision.allow) {
      return { status: (decision.verbatim && decision.status) || denialStatus(decision.status), headers };
    }
    if (decision.sessionName) headers['X-Session-Name'] = headerSafe(decision.sessionName);
    return { status: 200, headers };
  },
};

/**
 * Cesbo Astra, Backend Type "HTTP Request": GET, any path, the viewer's raw query, six X- headers.
 * Allow: 200, X-Session-Name. Deny: the backend's own status, Location, X-Location. Asks once per session, and lets
 * the viewer in when it cannot reach its backend. Source: help.cesbo.com, HTTP Auth: Backend.
 */
export const astra: DialectType = {
  name: 'astra',
  habit: 'once',
  opensWhenAlone: true,
  methods: CESBO_METHODS,
  hasAddress: false,
  hasPaths: false,
  isRemembered: true,
  tellsTtl: false,
  speak: () => dialect,
};
