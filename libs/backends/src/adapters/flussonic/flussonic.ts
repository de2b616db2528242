import type { ReplyHeaders } from '../../http/exchange.js';
import { allowFacts, headerIn } from '../../http/reply-facts.js';
import type { AllowFacts } from '../../http/verdict.js';
import { allowWhenRules } from '../allow-when.js';
import type { Middleware } from '../middleware.js';
import { onPlay } from './on-play.js';

/**
 * Any endpoint that Flussonic's `on_play` or `auth_backend` may point at: TVIP TMS, IPTVportal's /auth/flussonic/…, one of
 * the operator's own. The status is the answer; a body, which may restrict the archive, is not read.
 */
export const flussonic: Middleware = {
  sees: ['query', 'ip', 'channel', 'path', 'host', 'userAgent'],
  otherStatus: 'deny',
  settings: ['allowWhen', 'params'],
  address: (url) => url,
  question: (config) => ({
    query: (check, again) => onPlay(check, config, again),
    isWhole: false,
  }),
  rules: (config) => {
    const { needsBody, judge } = allowWhenRules(config);
    return {
      needsBody,
      judge: (reply, byStatus, check) => {
        const verdict = judge(reply, byStatus, check);
        return verdict.kind === 'allow' ? { kind: 'allow', facts: factsIn(reply.headers) } : verdict;
      },
    };
  },
};

/** In Stream Hub's spelling, too (its scripts/auth.lua). X-Unique is `true` exactly: Flussonic knows no other. */
function factsIn(headers: ReplyHeaders): AllowFacts {
  const unique = headerIn(headers, 'x-unique');
  const facts = allowFacts({
    ...headers,
    'x-authduration': headers['x-authduration'] ?? headers['x-auth-duration'],
    'x-userid': headers['x-userid'] ?? headers['x-user-id'],
  });
  return { ...facts, unique: unique === undefined ? undefined : unique === 'true' };
}
