/**
 * Every answer carries one reason code of this table, and a sentence that support can read out to a customer's
 * engineer. Codes are stable: never renamed, never reused for something else.
 */
export const REASONS = {
  'held-refused':
    'A hold refuses this viewer until a time: set by hand, or left behind by a kick or an eviction.',
  'held-passed': 'A hold set by hand lets this viewer in until a time: nobody is asked.',
  'backend-allowed': 'The backend allowed it.',
  'backend-denied': 'The backend refused this viewer.',
  'backend-redirected': 'The backend refused this viewer and gave an address to show instead.',
  'no-credentials': 'The viewer showed no user and password, and his backend goes by nothing else.',
  'group-denied': 'Every backend of the group refused this viewer.',
  'group-partial': 'Some backends of the group refused this viewer, and others could not be asked.',
  'limit-reached':
    'The backend allowed it, but as many devices of this user are watching as may watch at once.',
  public: 'The channel or path is public: nobody is asked about it.',
  'rule-allowed': 'A rule of the gateway let this viewer in: nobody else was asked.',
  'rule-ip-denied': 'A list of addresses refuses this viewer’s address.',
  'rule-country-denied': 'The channel may not be played in the country of this viewer’s address.',
  'rule-agent-denied': 'This player is refused by what it calls itself.',
  'rule-referer-denied':
    'The player stands on a web page of a site that is not allowed to show this channel.',
  'rule-token-denied':
    'The token is no good: nobody with the secret or key made it for this channel and address.',
  'rule-token-expired': 'The token’s time is over.',
  'rule-token-early': 'The token’s time has not begun.',
  'rule-token-channel': 'The token is good, but not for this channel.',
  'rule-token-address': 'The token is good, but not from this address.',
  'rule-login-denied': 'The password is not that of this login.',
  'rule-busy': 'Too many passwords or tokens were waiting to be checked, and this one was not looked at.',
  'rule-keys-missing': 'The keys that this token is checked with could not be fetched.',
  'rule-broken': 'A rule failed by a fault of Usher’s own, and refuses.',
  'rule-undecided': 'No rule let this viewer in, and the route asks nobody else.',
  'session-known': 'This session was allowed earlier and its time still runs.',
  'answer-shared': 'The same question was answered a moment ago.',
  'denial-stands':
    'A token that was good once was refused on a repeated question: the session was already allowed.',
  'session-extended':
    'This session was allowed earlier, and its credential is good for one question: it plays on unasked.',
  'stale-grant': 'The backend cannot be asked; this credential was allowed earlier and its time still runs.',
  'known-viewer': 'The backend cannot be asked; it allowed this viewer within the last day.',
  'on-trust': 'The backend cannot be asked: let in on trust.',
  'refused-unavailable':
    'The backend cannot be asked, and the fail mode refuses whom it did not allow before.',
  'trust-ended':
    'The backend cannot be asked, and a limit that its operator set has ended letting in on trust.',
  'overload-trust': 'Usher could not ask in time and it is not the backend’s fault: let in on trust.',
  'overload-refused': 'Usher could not ask in time and it is not the backend’s fault: refused by policy.',
  'backend-timeout': 'The backend did not answer in time.',
  'backend-unreachable': 'No connection to the backend.',
  'backend-tls': 'The backend’s TLS certificate or handshake is not accepted.',
  'backend-error': 'The backend answered with a server error.',
  'backend-malformed': 'The backend’s answer is not what its kind of middleware sends.',
  'backend-oversized': 'The backend’s answer was too large.',
  'backend-misconfigured':
    'The backend answered with a status that its script never sends: is the address right?',
  'backend-busy': 'The backend asked for fewer questions (429, or 503 with Retry-After).',
  'backend-suspended': 'The backend is suspended after failures; it is probed.',
  'backend-switched': 'The backend, or this route to it, is switched by hand until a time: it is not asked.',
  'backend-suspicious':
    'The backend’s answers are unlike its usual ones, and are taken for a failure by policy.',
  isolated: 'This process of Usher does not reach the backend, and others do.',
  'bulkhead-full': 'Too many calls to this backend were in flight.',
  paced: 'The pace set for this backend was used up.',
  deadline: 'The time for this check was used up.',
  'unknown-edge': 'The asking address is not configured as an edge.',
  'no-route': 'No route matches this check.',
  'publish-unrouted': 'Publishing is answered by routes of its own, and none of them matches.',
  'publish-allowed': 'The backend allowed to publish.',
  'credentials-missing': 'The player has shown no credentials yet: its server asks it for them now.',
  'bad-request': 'The request could not be understood.',
  internal: 'A fault of Usher’s own.',
} as const;

export type ReasonCode = keyof typeof REASONS;

/** The sentence to a code; a code written by another version is shown as it is. */
export function reasonSentence(code: string): string {
  return Object.hasOwn(REASONS, code) ? REASONS[code as ReasonCode] : code;
}
