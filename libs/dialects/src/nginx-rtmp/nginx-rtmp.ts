import type { EdgeConfig } from '#usher/config';
import {
  BadRequest,
  type Dialect,
  type DialectType,
  type EdgeAnswer,
  type EdgeQuestion,
  type EdgeRequest,
} from '../dialect.js';
import { clientId, rtmpFacts } from './facts.js';
import { readNotice } from './notice.js';

/** Of a status nginx-rtmp reads the first digit. */
const ALLOWED: EdgeAnswer = { status: 200, headers: {} };
/** Never 3xx: its `Location` renames the stream or has it fetched from elsewhere, and lets the viewer in. */
const DENIED: EdgeAnswer = { status: 403, headers: {} };

/** Who wants something: on_update asks again about who plays. */
const ASKS: ReadonlySet<string> = new Set(['play', 'update_play', 'publish']);
/** The viewer is gone, or his whole connection is. */
const ENDS: ReadonlySet<string> = new Set(['play_done', 'done', 'disconnect']);

/** The others tell what has happened; on_connect names no stream yet, and who publishes is asked about once. */
function understood(request: EdgeRequest): EdgeQuestion {
  const notice = readNotice(
    request.method === 'GET' ? formIn(request.query) : request.body.toString('latin1'),
  );
  const { call } = notice;
  if (ASKS.has(call)) return { kind: 'check', facts: rtmpFacts(notice) };
  if (ENDS.has(call)) return { kind: 'ended', sessionIds: [clientId(notice)], answer: ALLOWED };
  return { kind: 'answered', answer: ALLOWED };
}

/** notify_method get appends its form with `?`, to an address that may have a query. */
function formIn(query: string): string {
  const mark = query.startsWith('app=') ? -1 : query.indexOf('?app=');
  return query.slice(mark + 1);
}

function speak({ nginxRtmp: { method } }: EdgeConfig): Dialect {
  return {
    parse(request): EdgeQuestion {
      try {
        if (request.method === 'GET' && method !== 'get') throw new BadRequest(FORGEABLE);
        return understood(request);
      } catch (error) {
        if (!(error instanceof BadRequest)) throw error;
        return misunderstood(error.message);
      }
    },
    complete: (facts) => ({ ...facts, channel: facts.channel || facts.path.replace(/^\/+/, '') }),
    render: ({ allow }): EdgeAnswer => (allow ? ALLOWED : DENIED),
  };
}

/** The viewer's words go raw into the request line: a line end in them begins a question of his own. */
const FORGEABLE =
  'with notify_method get players can forge questions: leave it at post, or set edges.<name>.nginxRtmp.method: get';

/** nginx-rtmp tells nobody what it is answered, so the log does. */
function misunderstood(complaint: string): EdgeQuestion {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
  return { kind: 'answered', answer: { status: 400, headers, body: `${complaint}\n` }, complaint };
}

/**
 * nginx with the RTMP module: POST of a form (or GET), once per session, for players and publishers; on_update asks again
 * about who plays, as often as it is set to. Allow: 2xx. Deny: anything but 2xx and 3xx. It denies when it cannot reach us.
 * Source: arut/nginx-rtmp-module, ngx_rtmp_notify_module.c and ngx_rtmp_netcall_module.c; tried with 1.2.2.
 */
export const nginxRtmp: DialectType = {
  name: 'nginx-rtmp',
  habit: 'once',
  opensWhenAlone: false,
  methods: new Set(['POST', 'GET']),
  hasAddress: true,
  hasPaths: false,
  isRemembered: false,
  tellsTtl: false,
  speak,
};
