import type { IncomingMessage } from 'node:http';

/** One request line and its headers are told apart by what HTTP allows in neither. */
const SEPARATOR = '\n';

/** Node joins what came several times: a list never comes, and if it did it would equal no other. */
type Value = string | readonly string[] | undefined;

const text = (value: Value): string => (typeof value === 'string' ? value : '');

/**
 * Finds a request again among others: short, for it is put together for each check. Requests with one key may still
 * differ; `hasFacts` tells.
 */
export function requestKey({ url, headers }: IncomingMessage): string {
  return url + SEPARATOR + text(headers['x-session-id']) + SEPARATOR + text(headers['x-real-ip']);
}

/** What an answer depends on beside the key: who asks, and the dialects' other headers. */
export interface RequestFacts {
  readonly asker: Value;
  readonly forwardedFor: Value;
  readonly channel: Value;
  readonly path: Value;
  readonly userAgent: Value;
  readonly host: Value;
  readonly origin: Value;
}

export function factsOf({ headers, socket }: IncomingMessage): RequestFacts {
  return {
    asker: socket.remoteAddress,
    forwardedFor: headers['x-forwarded-for'],
    channel: headers['x-channel-id'],
    path: headers['x-real-path'],
    userAgent: headers['x-real-ua'],
    host: headers['x-real-host'],
    origin: headers['x-real-origin'],
  };
}

/**
 * Two requests with one key and these facts in common get one answer, so nothing may be left out that a dialect
 * reads. Compared one by one: no object is made for a check that is answered from memory.
 */
export function hasFacts({ headers, socket }: IncomingMessage, facts: RequestFacts): boolean {
  return (
    facts.asker === socket.remoteAddress &&
    facts.forwardedFor === headers['x-forwarded-for'] &&
    facts.channel === headers['x-channel-id'] &&
    facts.path === headers['x-real-path'] &&
    facts.userAgent === headers['x-real-ua'] &&
    facts.host === headers['x-real-host'] &&
    facts.origin === headers['x-real-origin']
  );
}

/** How many characters of others' words they hold. */
export function wordsOf(facts: RequestFacts): number {
  return Object.values(facts).reduce((sum: number, value: Value) => sum + (value?.length ?? 0), 0);
}
