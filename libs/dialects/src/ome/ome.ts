import type { EdgeConfig } from '#usher/config';
import { reasonSentence, type Decision } from '#usher/domain';
import { header } from '../cesbo/facts.js';
import {
  BadRequest,
  type Dialect,
  type DialectType,
  type EdgeAnswer,
  type EdgeQuestion,
  type EdgeRequest,
} from '../dialect.js';
import { jsonAnswer } from '../json-answer.js';
import { jsonBody, textIn } from '../json-body.js';
import { omeFacts, sessionIdOf, toldIn } from './facts.js';
import { streamOfPath } from './requested-url.js';
import { isSignedWith } from './signature.js';

/** OvenMediaEngine gives up after 3 s (`Timeout`); the way there takes some of it. Milliseconds. */
const DEADLINE = 2_800;

/**
 * UNVERIFIED: what `lifetime` is counted in. Documentation and code say milliseconds, a comment in the code seconds. Taken
 * for seconds they would last a thousand times as long, and cut nobody early.
 */
const LIFETIME_PER_SECOND = 1_000;

const CLOSED = jsonAnswer({});
const UNSIGNED =
  'a question was not signed with this edge’s key: is edges.<name>.ome.secret the SecretKey in its Server.xml?';
const NO_KEY = 'edges.<name>.ome.secret is not set: it is the SecretKey in its Server.xml';

function speak({ ome: { secret, realIp, lifetime } }: EdgeConfig): Dialect {
  return {
    parse(request): EdgeQuestion {
      if (secret === undefined) return refused(NO_KEY);
      if (!isSignedWith(secret, request.body, header(request, 'x-ome-signature'))) return refused(UNSIGNED);
      try {
        return asked(request, realIp);
      } catch (error) {
        if (!(error instanceof BadRequest)) throw error;
        return refused(error.message);
      }
    },
    complete: (facts) => ({ ...facts, channel: facts.channel || streamOfPath(facts.path) }),
    render: (decision): EdgeAnswer =>
      decision.allow
        ? jsonAnswer({ allowed: true, ...(lifetime === 'granted' && lifetimeOf(decision)) })
        : jsonAnswer({ allowed: false, reason: reasonSentence(decision.reason) }),
  };
}

/** What is signed. */
function asked(request: EdgeRequest, realIp: EdgeConfig['ome']['realIp']): EdgeQuestion {
  const told = toldIn(jsonBody(request.body));
  const status = textIn(told.request, 'status');
  const direction = textIn(told.request, 'direction');
  if (direction !== 'outgoing' && direction !== 'incoming') {
    throw new BadRequest('direction is none of outgoing, incoming');
  }
  const isPublisher = direction === 'incoming';
  if (status === 'opening') {
    return { kind: 'check', facts: omeFacts(told, request, realIp, isPublisher) };
  }
  if (status !== 'closing') throw new BadRequest('status is none of opening, closing');
  // A publisher has no session.
  if (isPublisher) return { kind: 'answered', answer: CLOSED };
  return { kind: 'ended', sessionIds: [sessionIdOf(told, realIp)], answer: CLOSED };
}

/** In its own language: it logs the reason then, and of any other status nothing but the number. */
function refused(complaint: string): EdgeQuestion {
  const answer = jsonAnswer({ allowed: false, reason: `Usher: ${complaint}` });
  return { kind: 'answered', answer, complaint };
}

/** None: as long as it lives. */
function lifetimeOf({ edgeTtl = 0 }: Decision): { readonly lifetime?: number } {
  return edgeTtl > 0 ? { lifetime: edgeTtl * LIFETIME_PER_SECOND } : {};
}

/**
 * OvenMediaEngine's AdmissionWebhooks: POST of JSON with a signature, once per session, for players and publishers; once more
 * when it closes. Allow: 200 with `{"allowed":true}`. Deny: `{"allowed":false}`, or anything else. It denies when it cannot
 * reach us. `new_url` leads to streams of the same server only, and is not used. Source: AirenSoft/OvenMediaEngine,
 * src/projects/modules/access_control.
 */
export const ome: DialectType = {
  name: 'ome',
  habit: 'once',
  opensWhenAlone: false,
  methods: new Set(['POST']),
  hasAddress: true,
  hasPaths: false,
  isRemembered: false,
  tellsTtl: 'granted',
  deadline: DEADLINE,
  speak,
};
