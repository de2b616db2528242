import {
  BadRequest,
  type Dialect,
  type DialectType,
  type EdgeQuestion,
  type EdgeRequest,
} from '../dialect.js';
import { jsonAnswer } from '../json-answer.js';
import { jsonBody, textIn } from '../json-body.js';
import { hasFieldTwice } from './field-twice.js';
import { clientId, srsFacts, streamOfPath } from './facts.js';

/** Read out of the body; anything but this is a denial. */
const ALLOWED = jsonAnswer({ code: 0 });
const DENIED = jsonAnswer({ code: 1 });

/**
 * Nothing to decide. on_connect names no stream yet: each one is asked about when it is played or published. The others
 * tell what has happened, and SRS gives up what it does where on_hls and on_dvr fail.
 */
const TOLD: ReadonlySet<string> = new Set(['on_connect', 'on_unpublish', 'on_dvr', 'on_hls']);
/** The viewer is gone, or his whole connection is. */
const ENDS: ReadonlySet<string> = new Set(['on_stop', 'on_close']);

function parse(request: EdgeRequest): EdgeQuestion {
  const body = jsonBody(request.body);
  // Before 2021 (ossrs/srs, pull 1758) SRS did not escape what viewers say: the names that count came first.
  if (hasFieldTwice(request.body.toString('utf8'))) throw new BadRequest('a field is there twice');
  const action = textIn(body, 'action');
  if (TOLD.has(action)) return { kind: 'answered', answer: ALLOWED };
  if (ENDS.has(action)) return { kind: 'ended', sessionIds: [clientId(body)], answer: ALLOWED };
  if (action !== 'on_play' && action !== 'on_publish') {
    throw new BadRequest(
      'action is none of on_play, on_publish, on_stop and those that tell what has happened',
    );
  }
  return { kind: 'check', facts: srsFacts(body, request, action === 'on_publish') };
}

const SRS: Dialect = {
  parse,
  complete: (facts) => ({ ...facts, channel: facts.channel || streamOfPath(facts.path) }),
  render: ({ allow }) => (allow ? ALLOWED : DENIED),
};

/**
 * SRS with `http_hooks`: POST of JSON, once per session, for players and publishers; on_stop when it ends. Allow: 200 with
 * `{"code":0}`. Deny: anything else. It denies when it cannot reach us. No redirect, no time. Source: ossrs/srs,
 * trunk/src/app/srs_app_http_hooks.cpp.
 */
export const srs: DialectType = {
  name: 'srs',
  habit: 'once',
  opensWhenAlone: false,
  methods: new Set(['POST']),
  hasAddress: true,
  hasPaths: false,
  isRemembered: false,
  tellsTtl: false,
  speak: () => SRS,
};
