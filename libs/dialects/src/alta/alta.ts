import { unescaped, type Decision } from '#usher/domain';
import { CESBO_METHODS, cesboFacts } from '../cesbo/facts.js';
import { redirectHeaders } from '../cesbo/redirect.js';
import {
  BadRequest,
  type Dialect,
  type DialectType,
  type EdgeAnswer,
  type EdgeFacts,
  type EdgeRequest,
} from '../dialect.js';

/** `scheme://host[:port]` → host. */
function hostOf(origin: string): string {
  const start = origin.indexOf('://');
  return (start === -1 ? origin : origin.slice(start + 3)).replace(/:\d+$/, '');
}

const MAX_CHANNEL = 256;
/** A piece that leads up, or nowhere, for one server or another. */
const DOTS = /(?:^|[/\\])\.\.?(?:[/\\;]|$)/;
/** What a name has not, unless it is to be read as something else by somebody. */
// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const NOT_IN_A_NAME = /[\u0000-\u001f\u007f/\\?#;]/;

/**
 * Alta sends no channel id; its paths are `/<channel>/<variant>/<session_id>.m3u8` (help.cesbo.com, Alta). Empty: the path
 * names none.
 * @throws BadRequest where the viewer wrote it so that the channel depends on how it is read
 */
function channelOf(path: string): string {
  const [, name = ''] = /^\/+([^/]+)\//.exec(path) ?? [];
  const [once, meant] = [unescaped(name), unescaped(unescaped(path))];
  // An escape of an escape is another name to some.
  if (DOTS.test(meant) || NOT_IN_A_NAME.test(once) || unescaped(once) !== once) {
    throw new BadRequest('the path may be read in two ways');
  }
  return once.slice(0, MAX_CHANNEL);
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
