import { headerIn } from './reply-facts.js';
import type { Reply } from './exchange.js';
import { ALLOW, deny, failed, notNow, type Verdict } from './verdict.js';

/** 4xx that say something about the request, never about a viewer: from anybody a sign of a wrong address. */
const NEVER_ABOUT_A_VIEWER = new Set([407, 408, 425, 431]);

export interface StatusRules {
  /** What a 4xx other than 401 and 403 means. */
  readonly otherStatus: 'deny' | 'failed';
  /** The asked script's own path: a redirect back to it is no answer about a viewer. */
  readonly pathname: string;
}

/** What a status means, the same for every middleware. A 200 is an allow as far as this goes. */
export function judgeStatus({ status, headers }: Omit<Reply, 'body'>, rules: StatusRules): Verdict {
  if (status === 200) return ALLOW;
  if (status === 401 || status === 403) return deny(status);
  if (status === 429 || (status === 503 && headers['retry-after'] !== undefined)) {
    return notNow('backend-busy', `status ${status}`);
  }
  if (status >= 300 && status < 400)
    return judgeRedirect(status, headerIn(headers, 'location'), rules.pathname);
  if (status >= 400 && status < 500) {
    return rules.otherStatus === 'deny' && !NEVER_ABOUT_A_VIEWER.has(status)
      ? deny(status)
      : failed('backend-misconfigured', `status ${status}`);
  }
  return status >= 500 && status < 600
    ? failed('backend-error', `status ${status}`)
    : failed('backend-malformed', `status ${status} is no answer of this contract`);
}

/**
 * 3xx with Location carries an address to show instead. One that leads back to the asked script (to https, to a
 * trailing slash, to another host name) would send every viewer there: the configured address is wrong.
 */
function judgeRedirect(status: number, location: string | undefined, pathname: string): Verdict {
  if (location === undefined || location === '') {
    return failed('backend-malformed', `status ${status} without Location`);
  }
  return leadsTo(location, pathname)
    ? failed('backend-misconfigured', `status ${status}: the script is at another address`)
    : deny(status);
}

function leadsTo(location: string, pathname: string): boolean {
  const base = `http://any.invalid${pathname}`;
  if (!URL.canParse(location, base)) return false;
  const path = new URL(location, base).pathname;
  return path !== '/' && path.replace(/\/$/, '') === pathname.replace(/\/$/, '');
}
