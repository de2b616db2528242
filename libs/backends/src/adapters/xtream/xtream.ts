import type { BackendConfig } from '#usher/config';
import { panelLogin, type Check, type Clock } from '#usher/domain';
import { scriptAddress } from '../../http/address.js';
import { queryOf } from '../../http/percent.js';
import { usableName } from '../../http/reply-facts.js';
import { deny, failed, type Verdict } from '../../http/verdict.js';
import type { Middleware } from '../middleware.js';
import { accountIn, type Account } from './account.js';

const SCRIPT = '/player_api.php';

const PAID = new Set(['active', 'trial']);

/** What an edge is told where the refusal stands in a body sent with 200. */
const STATUS_OF_A_REFUSAL = 403;

/**
 * An Xtream-Codes panel (XUI, XC_VM and others like it), by its player_api.php: user and password stand in the path, as its
 * players write them, in the query, or in the authorization. A stream's address is never asked: that would take one of the user's connections.
 * A 404 is a denial, for that is what panels send to whom they do not want.
 */
export const xtream: Middleware = {
  sees: ['path', 'query'],
  credentialIn: ['path', 'query'],
  otherStatus: 'deny',
  settings: ['activeConnections'],
  address: (url) => scriptAddress(url, SCRIPT, /\.php$/),
  question: () => ({ query: loginQuery, isWhole: true }),
  rules: (config, clock) => ({
    needsBody: (status) => status === 200,
    judge: ({ status, body }, byStatus, check): Verdict => {
      if (status >= 300 && status < 400) return failed('backend-misconfigured', `status ${status}`);
      if (byStatus.kind !== 'allow') return byStatus;
      const account = accountIn(body);
      if (account === undefined)
        return failed('backend-malformed', 'status 200 without a JSON field `user_info`');
      return mayWatch(account, config, clock) ? allowed(account, check) : deny(STATUS_OF_A_REFUSAL);
    },
  }),
};

function loginQuery(check: Check): string | undefined {
  const login = panelLogin(check);
  if (login === undefined) return undefined;
  return queryOf([
    ['username', login.user],
    ['password', login.password],
  ]);
}

/** By default `active_cons` is not looked at: the very stream that is asked about may be counted in it. */
function mayWatch(
  { isAuthorized, status, expiresAt = Infinity, maxConnections = Infinity, activeConnections }: Account,
  config: BackendConfig,
  clock: Clock,
): boolean {
  if (config.activeConnections === 'refuse' && activeConnections >= maxConnections) return false;
  return isAuthorized && PAID.has(status) && expiresAt > clock.now();
}

/** The panel's own spelling of the name: it may take ANNA for anna, and they are one user. */
function allowed({ username, maxConnections, expiresAt }: Account, check: Check): Verdict {
  const named = usableName(Buffer.from(username, 'utf8').toString('latin1'));
  const user = named ?? usableName(panelLogin(check)?.user);
  return { kind: 'allow', facts: { user, sessionName: user, maxSessions: maxConnections, until: expiresAt } };
}
