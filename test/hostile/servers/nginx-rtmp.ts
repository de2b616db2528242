import { percentEncoded, type Words } from '../words.js';
import { appAndStream, canonical, posted, type Facts, type Server } from './server.js';

const FORM = ['Content-Type', 'application/x-www-form-urlencoded'] as const;

/** Its own fields are escaped, and what the viewer appended to the stream's name stands behind them as it came. */
function notice(call: string, { ip, app, stream, session }: Facts, words: Words): string {
  const fields: readonly (readonly [string, string])[] = [
    ['app', app],
    ['flashver', words.userAgent],
    ['swfurl', ''],
    ['tcurl', `rtmp://${words.host}/${app}`],
    ['pageurl', words.referer],
    ['addr', ip],
    ['clientid', session],
    ['call', call],
    ['name', stream],
    ...(call === 'play'
      ? ([
          ['start', '4294965296'],
          ['duration', '0'],
          ['reset', '0'],
        ] as const)
      : []),
  ];
  const own = fields.map(([name, value]) => `${name}=${percentEncoded(value)}`).join('&');
  return words.query === '' ? own : `${own}&${words.query}`;
}

/** Source: ngx_rtmp_notify_module.c, ngx_rtmp_netcall_module.c. */
export const nginxRtmp: Server = {
  name: 'nginx-rtmp',
  dialect: 'nginx-rtmp',
  settings: {},
  action: 'play',
  sessions: 'named',
  asks: (facts, words, address) => posted(address, notice('play', facts, words), [FORM]),
  ends: (facts, words, address) => posted(address, notice('play_done', facts, words), [FORM]),
  plays: appAndStream,
  shows: ({ query }) => [canonical(`?${query}`)],
};
