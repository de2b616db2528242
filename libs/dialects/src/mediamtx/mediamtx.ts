import type { EdgeConfig } from '#usher/config';
import type { Decision } from '#usher/domain';
import {
  BadRequest,
  type Dialect,
  type DialectType,
  type EdgeAnswer,
  type EdgeQuestion,
} from '../dialect.js';
import { jsonBody, textIn } from '../json-body.js';
import { streamNameOf } from '../stream-name.js';
import { mediamtxFacts } from './facts.js';

/**
 * Its path manager is one loop that asks and waits (internal/core/path_manager.go): while it does, nobody on that server
 * begins to play or publish, and nobody is let go. Milliseconds.
 */
const DEADLINE = 1_000;

const PLAYS: ReadonlySet<string> = new Set(['read', 'playback', 'publish']);
/** Who may use the server itself. Usher knows of viewers only. */
const OPERATES: ReadonlySet<string> = new Set(['api', 'metrics', 'pprof']);

/** Nobody is let in by an oversight. MediaMTX writes the sentence into its log. */
const NOT_OURS: EdgeQuestion = {
  kind: 'answered',
  answer: {
    status: 401,
    headers: { 'Content-Type': 'text/plain; charset=utf-8' },
    body: 'Usher decides about viewers and publishers only: name this action in authHTTPExclude.\n',
  },
};

/** Redirects are followed, and end anywhere: an address to show instead is a denial here. */
function denial({ verbatim, status = 0, reason }: Decision): number {
  if (verbatim === true && status >= 400) return status;
  return reason === 'credentials-missing' ? 401 : 403;
}

function speak({ mediamtx: { credentials } }: EdgeConfig): Dialect {
  return {
    parse(request): EdgeQuestion {
      const body = jsonBody(request.body);
      const action = textIn(body, 'action');
      if (OPERATES.has(action)) return NOT_OURS;
      if (!PLAYS.has(action)) throw new BadRequest('action is none of read, playback, publish');
      return { kind: 'check', facts: mediamtxFacts(body, request, credentials === 'required') };
    },
    complete: (facts) => {
      const channel = facts.channel || streamNameOf(facts.path);
      return { ...facts, channel, path: `/${channel}` };
    },
    render: (decision): EdgeAnswer => ({ status: decision.allow ? 200 : denial(decision), headers: {} }),
  };
}

/**
 * MediaMTX with `authMethod: http`: POST of JSON, once per session, for players and publishers. Allow: 200. Deny: anything
 * else; a player that showed nothing is asked for user and password then. It never asks again, and denies when it cannot
 * reach us. Source: bluenviron/mediamtx, internal/auth/manager.go.
 */
export const mediamtx: DialectType = {
  name: 'mediamtx',
  habit: 'once',
  opensWhenAlone: false,
  methods: new Set(['POST']),
  hasAddress: true,
  hasPaths: false,
  isRemembered: false,
  tellsTtl: false,
  deadline: DEADLINE,
  speak,
};
