import type { ReasonCode } from './reason.js';

/**
 * What to do about an answer, by its reason: for support to read out, each by itself. docs/reasons.md says the same with
 * more of the settings' names.
 */
export const REMEDIES: Readonly<Record<ReasonCode, string>> = {
  'held-refused':
    'The answer names the hold: what it goes by, who set it, why, and until when. It ends by itself, or an operator lifts it.',
  'held-passed': 'Nothing, if it is meant. It ends by itself, or an operator lifts it.',
  'backend-allowed': 'Nothing.',
  'backend-denied':
    'Ask the middleware why: the token, the subscription, and the time between making the link and playing it.',
  'backend-redirected': 'Nothing, if the address to show is meant.',
  'no-credentials':
    'Look at the address that the player was given: /live/USER/PASSWORD/ID.ts, or ?username=…&password=….',
  'group-denied': 'Ask each middleware of the group why: the token, the subscription.',
  'group-partial': 'Look at the members of the group that could not be asked.',
  'limit-reached': 'Nothing, if the cap is meant: another device must stop first. Else raise the cap.',
  public: 'Nothing. The channel is public by configuration.',
  'rule-allowed': 'Nothing, if it is meant. The answer names the rule.',
  'rule-ip-denied':
    'Take the address out of the list, or put it into allow or pass: the longer network wins.',
  'rule-country-denied':
    'Nothing, if it is meant. Else look the address up in the database of countries, and put it into ip: pass.',
  'rule-agent-denied': 'Look at the user agent in the log, and at userAgents.',
  'rule-referer-denied': 'Add the site to referers, if it may show the channel.',
  'rule-token-denied':
    'Compare what the token was made of: secret, channel, address. A token for one address is no good from another.',
  'rule-token-expired': 'The player must be given a new link. If it was new: compare the clocks.',
  'rule-token-early': 'Compare the clocks of whoever made the token and of Usher.',
  'rule-token-channel':
    'Nothing, if the viewer has not bought the channel. Else look at the claim that names channels.',
  'rule-token-address':
    'The viewer’s address has changed since the token was made: the player must be given a new link.',
  'rule-login-denied': 'The viewer must correct the password.',
  'rule-busy':
    'Look for who guesses passwords. Players that ask again get in; cheaper hashes are checked faster.',
  'rule-keys-missing': 'Can Usher reach the address of the keys? Its log says why not.',
  'rule-broken': 'Report it, with the log lines around it.',
  'rule-undecided':
    'The viewer showed no token or login, or an unknown one. A route without backend refuses him by default.',
  'session-known': 'Nothing.',
  'answer-shared': 'Nothing. gateway.answerTtl says how long answers are shared.',
  'denial-stands':
    'Nothing: one-shot tokens do that. Where a token may be asked about again, set credential: reusable, and the denial counts.',
  'session-extended':
    'Nothing: one-shot tokens do that. Where a token may be asked about again, set credential: reusable.',
  'stale-grant': 'Look at the backend: it cannot be asked. This viewer has a right to watch.',
  'known-viewer': 'Look at the backend: it cannot be asked. This viewer had a right to watch lately.',
  'on-trust':
    'Look at the backend: it cannot be asked, and this viewer may have no right. failMode decides whether such viewers get in.',
  'refused-unavailable':
    'Look at the backend: it cannot be asked, and a viewer with a right may have been refused. failMode: open lets in.',
  'trust-ended':
    'Look at the backend first: a viewer with a right may have been refused. maxOutage and failOpenBudget are the limits.',
  'overload-trust': 'Look at workers and Redis; raise maxCalls or pace if the backend can bear it.',
  'overload-refused':
    'Look at workers and Redis; raise maxCalls or pace if the backend can bear it. overload: as-fail-mode lets in.',
  'backend-timeout': 'Find out why the middleware is slow; its timeout is how long one call may take.',
  'backend-unreachable':
    'Is the middleware running, is its address right, does a firewall or DNS stand between?',
  'backend-tls': 'Renew the middleware’s certificate, or name its authority in ca.',
  'backend-error': 'Look into the middleware’s own log.',
  'backend-malformed':
    'Is the address that of the right script? A Ministra whose PHP died sends an error page with status 200.',
  'backend-oversized': 'Is the address that of the right script? Its answers are short.',
  'backend-misconfigured':
    'Check the backend’s url: the script is elsewhere, or wants a login. otherStatus sets what other 4xx mean.',
  'backend-busy':
    'Nothing at first: Usher asks at half the pace. If it stays, the middleware limits Usher: set pace.',
  'backend-suspended':
    'Look at the failures before it. It is asked again by itself when probes succeed; nothing has to be switched.',
  'backend-switched': 'Nothing, if it is meant: the switch ends by itself, or an operator lifts it.',
  'backend-suspicious':
    'Is the middleware’s database or cache dead? It answers cleanly, and unlike itself. guard sets what is unlike.',
  isolated: 'Repair this machine’s way to the backend; the other processes do its work meanwhile.',
  'bulkhead-full':
    'The middleware is slower than its questions come: make it faster, or raise maxCalls if it can bear more.',
  paced: 'Raise pace, if the middleware can bear it.',
  deadline: 'Look at Redis, at the workers, and at a slow backend. gateway.deadline is the time.',
  'unknown-edge':
    'Add the address to the edge’s addresses in the configuration, or let the edge ask /e/<edge>/check.',
  'no-route': 'Add a route; the last one may be without match.',
  'publish-unrouted': 'Add a route with match: {action: publish} that says who may publish, if anybody may.',
  'publish-allowed': 'Nothing.',
  'credentials-missing':
    'Nothing: an RTSP player first asks without. If it stays so, the player has no token or password in its address.',
  'bad-request': 'Look at what asks: it is no edge of this dialect, or the viewer’s query is none.',
  internal: 'Report it, with the log lines around it.',
};

/** What to do about a code; nothing is known of a code written by another version. */
export function remedyOf(code: string): string {
  return Object.hasOwn(REMEDIES, code)
    ? REMEDIES[code as ReasonCode]
    : 'Another version of Usher wrote this reason: see its documentation.';
}
