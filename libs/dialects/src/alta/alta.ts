import type { Decision } from '#usher/domain';
import { CESBO_METHODS, cesboFacts } from '../cesbo/facts.js';
import { redirectHeaders } from '../cesbo/redirect.js';
import type { Dialect, DialectType, EdgeAnswer, EdgeFacts, EdgeRequest } from '../dialect.js';

/** `scheme://host[:port]` → host. */
function hostOf(origin: string): string {
  const start = origin.indexOf('://');
  return (start === -1 ? origin : origin.slice(start + 3)).replace(/:\d+$/, '');
}

/** Alta sends no channel id; its paths are `/<channel>/<variant>/<session_id>.m3u8` (help.cesbo.com, Alta). */
function channelOf(path: string): string {
  const end = path.indexOf('/', 1);
  return path.startsWith('/') && end > 1 ? path.slice(1, Math.min(end, 257)) : '';
}

const complete = (facts: EdgeFacts): EdgeFacts => ({
  ...facts,
  channel: facts.channel || channelOf(facts.path),
  host: facts.host || hostOf(facts.origin),
});

const dialect: Dialect = {
  parse: (request: EdgeRequest) => ({ kind: 'check', facts: complete(cesboFacts(request)) }),
  complete,
  render: (decision: Decision): EdgeAnswer => ({
    status: decision.allow ? 200 : (decision.verbatim && decision.status) || 403,
    headers: redirectHeaders(decision),
  }),
};

/**
 * Cesbo Alta, and what Cesbo's auth-proxy answers: as Astra, but X-Real-Origin instead of X-Real-Host, no
 * X-Channel-ID, and exactly 200 or 403. Asks once per session; without a default action it lets the viewer in when
 * it cannot reach its backend. Source: help.cesbo.com, Alta › auth backend.
 */
export const alta: DialectType = {
  name: 'alta',
  habit: 'once',
  opensWhenAlone: true,
  methods: CESBO_METHODS,
  hasAddress: false,
  hasPaths: false,
  isRemembered: true,
  tellsTtl: false,
  speak: () => dialect,
};
