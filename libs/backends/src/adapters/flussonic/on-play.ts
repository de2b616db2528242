import type { BackendConfig } from '#usher/config';
import { queryParameter, unescaped, type Check } from '#usher/domain';
import { queryOf } from '../../http/percent.js';
import { nameInPath, protoOf } from './stream.js';
import { sessionUuid } from './session-uuid.js';

/** `stream_clients`, `total_clients`: required, and we know neither. Not 0: Flussonic's own Go SDK takes that for none. */
const CLIENTS = '1';

/** The parameter that is the viewer's token, where nothing else is configured. */
const TOKEN = 'token';

export type OnPlayConfig = Pick<BackendConfig, 'credentialParameter' | 'params'>;

/**
 * The query of Flussonic's on_play (its OpenAPI "Authorization Backend API" 21.12.1). The viewer's own words stand in
 * `token`, `qs`, `user_agent`, `referer` and `host` alone, each one value: his ?name= and ?ip= are never ours.
 * @param again the session was allowed before, and is asked about again; how often is not known
 */
export function onPlay(check: Check, { credentialParameter, params }: OnPlayConfig, again: boolean): string {
  const fields = new Map([
    ['name', check.channel || nameInPath(check.path)],
    ['proto', check.protocol || protoOf(check.path)],
    ['ip', check.ip],
    ['request_type', again ? 'update_session' : 'new_session'],
    ['request_number', again ? '1' : '0'],
    ['session_id', sessionUuid(check)],
    ['stream_clients', CLIENTS],
    ['total_clients', CLIENTS],
  ]);
  const known = {
    token: tokenOf(check, credentialParameter ?? TOKEN),
    qs: check.query,
    user_agent: check.userAgent,
    referer: check.referer ?? '',
    host: check.host,
  };
  for (const [name, value] of Object.entries(known)) if (value !== '') fields.set(name, value);
  fields.set('dvr', String(check.dvr === true));
  for (const param of params) {
    const equals = param.indexOf('=');
    fields.set(param.slice(0, equals), bytesOf(param.slice(equals + 1)));
  }
  return queryOf(fields);
}

const bytesOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** Decoded, for it is encoded again. A + stays one: tokens are often Base64. */
function tokenOf({ token, query }: Check, parameter: string): string {
  return token || unescaped(queryParameter(query, parameter) ?? '');
}
