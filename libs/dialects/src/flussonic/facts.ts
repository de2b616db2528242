import { queryParameter, unescaped } from '#usher/domain';
import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';
import { jsonBody, textIn } from '../json-body.js';
import { streamNameOf } from '../stream-name.js';
import { viewerQuery, withToken } from '../viewer-query.js';

const MAX_SESSION_ID = 256;
/** A file's name is its path. */
const MAX_NAME = 2_048;

/**
 * UNVERIFIED: whether a + stands for a space in Flussonic's own query. Its values are percent-encoded (tests of its last
 * open source, 2013), so that it is a plus: a token of base64 has some, and a space would be another token.
 */
const PLUS_IS_SPACE: boolean = false;

/** What Flussonic says of its own accord; the rest of its query are counters, and what the viewer said. */
const OWN_FIELDS = ['name', 'proto', 'ip', 'request_type', 'session_id'];
/** All of Flussonic's names (Authorization Backend API 21.12.1). */
const FIELDS: ReadonlySet<string> = new Set([
  ...OWN_FIELDS,
  'request_number',
  'stream_clients',
  'total_clients',
  'token',
  'duration',
  'bytes',
  'qs',
  'user_agent',
  'referer',
  'host',
  'dvr',
]);

/** Flussonic's word for what was recorded, and Stream Hub's. */
const IS_DVR: ReadonlySet<string> = new Set(['true', '1']);

/** One field of the question; empty where it is missing. */
type FieldOf = (name: string) => string;

/**
 * Who wants to play. Of each field the first in Flussonic's own query counts: the viewer's words are within values
 * (`qs`, `token`), where they are escaped.
 */
export function playFacts(request: EdgeRequest): EdgeFacts {
  const query = appended(request.query);
  const fieldOf: FieldOf = (name) => decoded(queryParameter(query, name) ?? '');
  const byHand = !OWN_FIELDS.some((name) => queryParameter(query, name) !== undefined);
  const facts = { ...factsOf(fieldOf, request, byHand), byHand };
  return IS_DVR.has(fieldOf('dvr')) ? { ...facts, dvr: true } : facts;
}

/** Who wants to publish: the same fields, as JSON. */
export function publishFacts(request: EdgeRequest): EdgeFacts {
  const body = jsonBody(request.body);
  return { ...factsOf((name) => textIn(body, name), request, false), action: 'publish' };
}

/** What Flussonic reads out of a player's address: its token, and its stream. */
export function completed(facts: EdgeFacts): EdgeFacts {
  const channel = facts.channel || streamNameOf(facts.path);
  const token = facts.token ?? unescaped(queryParameter(facts.query, 'token') ?? '');
  return { ...facts, channel, path: `/${channel}`, ...(token === '' ? {} : { token }) };
}

/**
 * `request_type` and the counters decide nothing: an update is found by its session id, and one of an unknown session is
 * asked about like any other. A `session_id` is as the edge gives it (a UUID; Stream Hub's is a hash); Flussonic of 2013
 * sends none.
 */
function factsOf(fieldOf: FieldOf, request: EdgeRequest, byHand: boolean): EdgeFacts {
  const name = bounded(fieldOf('name'), 'name', MAX_NAME);
  if (name === '' && !byHand) throw new BadRequest('name is missing');
  const token = fieldOf('token');
  return {
    givenSessionId: bounded(fieldOf('session_id'), 'session_id', MAX_SESSION_ID),
    channel: name,
    ip: fieldOf('ip') || request.remoteAddress,
    // The viewer's own path is not told. This one is the same for the life of a session.
    path: `/${name}`,
    userAgent: fieldOf('user_agent'),
    host: fieldOf('host'),
    origin: '',
    query: withToken(viewerQuery(fieldOf('qs')), token),
    ...(token === '' ? {} : { token }),
    referer: fieldOf('referer'),
    protocol: fieldOf('proto'),
  };
}

/**
 * UNVERIFIED: how Flussonic appends its query to an address that has one. Its last open source (2013) wrote another `?`:
 * what stands before that is the operator's, as long as no field of Flussonic's is among it.
 */
function appended(query: string): string {
  const mark = query.indexOf('?');
  if (mark === -1) return query;
  const names = query.slice(0, mark).split('&');
  return names.some((pair) => FIELDS.has(pair.split('=', 1)[0]!)) ? query : query.slice(mark + 1);
}

/** Byte for byte: a % that begins no byte stays, and bytes that are no UTF-8 stay what they are. */
function decoded(value: string): string {
  return unescaped(PLUS_IS_SPACE ? value.replaceAll('+', ' ') : value);
}

function bounded(value: string, name: string, most: number): string {
  if (value.length > most) throw new BadRequest(`${name} is longer than ${most} bytes`);
  return value;
}
