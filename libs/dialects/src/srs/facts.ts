import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';
import { textIn, type JsonBody } from '../json-body.js';
import { appStream } from '../app-stream.js';
import { viewerQuery } from '../viewer-query.js';

const MAX_SESSION_ID = 256;
/** SRS's name for the virtual host that answers where no other does. */
const DEFAULT_VHOST = '__defaultVhost__';
const PLAYLIST = /(?<=[^/])\.m3u8$/;

/** Who plays or publishes. A stream is named as SRS does itself in `stream_url`: with the virtual host, unless it is the default. */
export function srsFacts(body: JsonBody, request: EdgeRequest, isPublisher: boolean): EdgeFacts {
  const app = textIn(body, 'app');
  const stream = textIn(body, 'stream');
  const vhost = textIn(body, 'vhost');
  const name = withoutPlaylist(stream);
  const isDefault = vhost === '' || vhost === DEFAULT_VHOST;
  return {
    givenSessionId: clientId(body),
    channel: appStream(isDefault ? app : `${vhost}/${app}`, name),
    ip: textIn(body, 'ip') || request.remoteAddress,
    path: `/${app}/${stream}`,
    userAgent: '',
    host: isDefault ? '' : vhost,
    origin: '',
    query: viewerQuery(textIn(body, 'param')),
    referer: textIn(body, 'pageUrl'),
    ...(name !== stream && { protocol: 'hls' }),
    ...(isPublisher && { action: 'publish' as const }),
  };
}

/** HLS is asked for by its playlist. */
const withoutPlaylist = (name: string): string => name.replace(PLAYLIST, '');

/** The stream that a path probably means, on the default virtual host. */
export function streamOfPath(path: string): string {
  return withoutPlaylist(path.replace(/^\/+/, ''));
}

/** Text since SRS 4, a number before. Unique on one server. */
export function clientId(body: JsonBody): string {
  const value = Object.hasOwn(body, 'client_id') ? body['client_id'] : undefined;
  const id = Number.isSafeInteger(value) ? String(value) : textIn(body, 'client_id', MAX_SESSION_ID);
  if (id === '') throw new BadRequest('client_id is missing');
  return id;
}
