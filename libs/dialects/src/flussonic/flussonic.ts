import type { EdgeConfig } from '#usher/config';
import type { Dialect, DialectType, EdgeRequest } from '../dialect.js';
import { flussonicAnswer } from './answer.js';
import { completed, playFacts, publishFacts } from './facts.js';

/** A play is asked about with GET, a publish with POST (Authorization Backend API). */
const METHODS: ReadonlySet<string> = new Set(['GET', 'POST']);

function speak({ flussonic: { passLimits } }: EdgeConfig): Dialect {
  return {
    parse: (request: EdgeRequest) => ({
      kind: 'check',
      facts: request.method === 'POST' ? publishFacts(request) : playFacts(request),
    }),
    complete: completed,
    render: (decision, facts) => flussonicAnswer(decision, facts, passLimits),
  };
}

/**
 * Flussonic Media Server's `on_play` and `on_publish`, and those who speak as it does (Stream Hub). Allow: 200 with
 * X-AuthDuration, after which it asks again. Deny: 403, kept by Flussonic for X-AuthDuration; 302 with an address to show
 * instead. 5xx: the session that is open plays on, a new one is refused. Source: flussonic.com/doc/api/authorization, and
 * the source of erlyvideo/flussonic of 2013.
 */
export const flussonic: DialectType = {
  name: 'flussonic',
  habit: 'again',
  opensWhenAlone: false,
  methods: METHODS,
  hasAddress: true,
  hasPaths: false,
  isRemembered: false,
  tellsTtl: true,
  speak,
};
