import { percentEncoded, type Words } from '../words.js';
import { canonical, posted, shown, streamAlone, utf8Bytes, utf8Text, type Server } from './server.js';

/** Source: flussonic.com/doc/api/authorization, 21.12.1. */
export const flussonic: Server = {
  name: 'flussonic',
  dialect: 'flussonic',
  settings: {},
  action: 'play',
  sessions: 'named',
  asks: ({ ip, stream, session }, words, address) => {
    const fields: readonly (readonly [string, string])[] = [
      ['name', stream],
      ['proto', 'hls'],
      ['ip', ip],
      ['request_type', 'new_session'],
      ['request_number', '0'],
      ['session_id', session],
      ['stream_clients', '1'],
      ['total_clients', '2'],
      ['token', words.token],
      ['qs', words.query],
      ['user_agent', words.userAgent],
      ['referer', words.referer],
      ['host', words.host],
      ['dvr', 'false'],
    ];
    const query = fields.map(([name, value]) => `${name}=${percentEncoded(value)}`).join('&');
    return { method: 'GET', target: `${address}?${query}`, headers: [['Host', 'usher']], body: '' };
  },
  plays: streamAlone,
  shows: ({ token, query }) => shown(canonical(query), token),
};

const asText = (bytes: string): string => utf8Bytes(utf8Text(bytes));

/** Source: the same page, on_publish: JSON. */
export const flussonicPublishing: Server = {
  ...flussonic,
  name: 'flussonic, publishing',
  action: 'publish',
  asks: ({ ip, stream, session }, words: Words, address) =>
    posted(
      address,
      utf8Bytes(
        JSON.stringify({
          name: stream,
          proto: 'rtmp',
          ip,
          request_type: 'new_session',
          request_number: 0,
          session_id: session,
          stream_clients: 0,
          total_clients: 0,
          token: utf8Text(words.token),
          qs: utf8Text(words.query),
          dvr: false,
        }),
      ),
    ),
  shows: ({ token, query }) => shown(canonical(asText(query)), asText(token)),
};
