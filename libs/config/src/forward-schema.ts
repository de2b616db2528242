import { z } from 'zod';
import { durationOf } from './units.js';

/** Where usual servers keep a channel's files; a wider pattern stands behind those that say more. */
const USUAL_PATHS = [
  '/play/{channel}.m3u8',
  '/play/{channel}/**',
  '/live/{channel}.m3u8',
  '/live/{channel}-{number}.ts',
  '/live/{channel}/**',
  '/hls/{channel}.m3u8',
  '/hls/{channel}-{number}.ts',
  '/hls/{channel}/**',
  '/dash/{channel}.mpd',
  '/dash/{channel}-{number}.m4a',
  '/dash/{channel}-{number}.m4v',
  '/dash/{channel}-init.m4a',
  '/dash/{channel}-init.m4v',
  '/dash/{channel}/**',
  '/play/{channel}',
  '/{channel}/**',
];

/** What stands between slashes: nothing that varies, or one such thing, and more of it behind letters that part them. */
const PIECE = /^(?:[^{}*]+|[^{}*]*(?:\{channel\}|\{number\}|\*)(?:[^{}*]+(?:\{number\}|\*))*[^{}*]*)$/;

/** Compiled in libs/dialects, which relies on what is checked here. */
const pathPattern = z.string().refine((text) => {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not pass
  if (!text.startsWith('/') || /[?#%\\\u0000-\u0020\u007f]/.test(text)) return false;
  const pieces = text.slice(1).split('/');
  if (pieces.at(-1) === '**') pieces.pop();
  if (!pieces.every((piece) => PIECE.test(piece) && piece !== '.' && piece !== '..')) return false;
  return text.split('{channel}').length === 2;
}, 'a path such as /live/{channel}/** or /hls/{channel}-{number}.ts: once {channel}, {number} for digits, * for what has no slash, /** at its end; see docs/dialects/forward.md');

/** A name of a header, cookie or parameter. */
const word = z.string().regex(/^[A-Za-z0-9!#$%'*+.^_`|~-]{1,64}$/, 'a name without spaces or separators');

/** How an edge of dialect forward is asked. */
export const forwardSchema = z.strictObject({
  proxy: z
    .enum(['nginx', 'haproxy', 'traefik', 'caddy', 'envoy'])
    .default('nginx')
    .describe('Which proxy asks; viewers can send any header, so this is never guessed.'),
  paths: z
    .array(pathPattern)
    .min(1)
    .max(100)
    .default(USUAL_PATHS)
    .describe(
      'Where in a path the channel stands; the first that fits counts. See docs/dialects/forward.md.',
    ),
  parameters: z
    .array(word)
    .max(20)
    .default([])
    .meta({
      description: 'The parameters of the query that are the viewer’s credentials; none: the whole query.',
      examples: [['token']],
    }),
  cookie: word
    .optional()
    .meta({ description: 'A cookie that tells viewers apart, behind one address too.', examples: ['sid'] }),
  tokenCookie: word
    .optional()
    .meta({ description: 'A cookie that holds the viewer’s token.', examples: ['stream_token'] }),
  hops: z
    .int()
    .min(1)
    .max(10)
    .default(1)
    .describe('traefik, caddy, envoy: the viewer is so-many-th from the end of X-Forwarded-For.'),
  follow: durationOf(1_000)
    .default(600_000)
    .describe('A request without credentials goes on with a session that was seen within this time.'),
  preflight: z
    .enum(['allow', 'ask'])
    .default('allow')
    .describe('OPTIONS where a path fits: let through without asking, or asked about.'),
  head: z.enum(['ask', 'allow']).default('ask').describe('HEAD where a path fits: as GET, or let through.'),
  publish: z
    .array(z.enum(['PUT', 'POST', 'PATCH', 'DELETE']))
    .default(['PUT', 'POST', 'PATCH', 'DELETE'])
    .describe('With these methods a viewer publishes, and routes with match.action publish decide.'),
});
