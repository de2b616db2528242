import { BadRequest, type EdgeFacts } from '../dialect.js';
import { appStream } from '../app-stream.js';
import { viewerQuery } from '../viewer-query.js';
import type { Notice } from './notice.js';

/** As long as a request line may be, in which the backend is asked; bytes. */
const MAX_WORDS = 8_192;
const HOST = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#@]*)/;

/** Who plays or publishes. */
export function rtmpFacts(notice: Notice): EdgeFacts {
  const { call, field, args } = notice;
  const channel = appStream(field('app'), field('name'));
  const words = [args, field('flashver'), field('tcurl'), field('pageurl')];
  if (words.some(({ length }) => length > MAX_WORDS)) {
    throw new BadRequest(`a field is longer than ${MAX_WORDS} bytes`);
  }
  return {
    givenSessionId: clientId(notice),
    channel,
    ip: field('addr'),
    path: `/${channel}`,
    userAgent: field('flashver'),
    host: (HOST.exec(field('tcurl'))?.[1] ?? '').replace(/:\d*$/, ''),
    origin: '',
    query: viewerQuery(`?${args}`),
    referer: field('pageurl'),
    protocol: 'rtmp',
    ...(call === 'publish' && { action: 'publish' as const }),
  };
}

/** The number of the connection in nginx, which counts anew when it is started. */
export function clientId({ field }: Notice): string {
  const id = field('clientid');
  if (!/^\d{1,20}$/.test(id)) throw new BadRequest('clientid is no number');
  return id;
}
