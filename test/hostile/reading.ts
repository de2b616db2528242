import { configSchema } from '#usher/config';
import { credentialOf } from '#usher/decisions';
import {
  BadRequest,
  DIALECTS,
  type Dialect,
  type EdgeFacts,
  type EdgeQuestion,
  type EdgeRequest,
} from '#usher/dialects';
import { fingerprintOf, unescaped } from '#usher/domain';
import { received, type Message } from './message.js';
import type { Facts, Server } from './servers/server.js';
import type { Words } from './words.js';

/** Where servers are told to ask. */
export const ADDRESS = '/e/edge-1/any';

// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const ENDS_A_LINE = /[\r\n\0]/;

/** One viewer's question, as his server's dialect reads it. */
export interface Reading {
  readonly facts: EdgeFacts;
  readonly fingerprint: () => string;
  readonly gist: () => string | undefined;
  /** What tells him from others. */
  readonly shown: string;
}

/** Reads what servers ask as an edge of theirs does, and says what is wrong with it. */
export class Reader {
  private readonly dialect: Dialect;

  constructor(private readonly server: Server) {
    const edge = { dialect: server.dialect, ...server.settings };
    const { edges } = configSchema.parse({ edges: { 'edge-1': edge } });
    this.dialect = DIALECTS[server.dialect].speak(edges['edge-1']!);
  }

  /** Undefined: he is refused. @throws Error that says which fact is not the server's */
  read(facts: Facts, words: Words): Reading | undefined {
    const { server } = this;
    const message = server.asks(facts, words, ADDRESS);
    const question = this.understood(message);
    if (question === undefined || isRefusal(question)) return undefined;
    if (question.kind !== 'check') throw new Error(`it is no question: ${JSON.stringify(question)}`);
    const read = question.facts;
    const plays = server.plays(facts, words);
    same('address', facts.ip, read.ip);
    same('action', server.action, read.action ?? 'play');
    // Whoever takes names as they stand knows one that is escaped by that name only.
    const differs = plays.find((channel) => channel !== read.channel && unescaped(channel) !== read.channel);
    if (differs !== undefined) same('channel', differs, read.channel);
    if (server.sessions === 'named') same('session', facts.session, read.givenSessionId);
    if (server.sessions === 'none') same('session', '', read.givenSessionId);
    if (ENDS_A_LINE.test(read.query)) throw new Error(`its query ends a line: ${JSON.stringify(read.query)}`);
    const shown = JSON.stringify(server.shows(words));
    return {
      facts: read,
      fingerprint: () => fingerprint(read),
      gist: () => this.dialect.gist?.(requestOf(message)),
      shown,
    };
  }

  /** @throws Error where another session than his own ends */
  readEnd(facts: Facts, words: Words, opened: Reading): void {
    const message = this.server.ends?.(facts, words, ADDRESS);
    const question = message && this.understood(message);
    if (question === undefined || isRefusal(question)) return;
    if (question.kind !== 'ended') throw new Error(`it is no end: ${JSON.stringify(question)}`);
    same('session that ends', opened.facts.givenSessionId, question.sessionIds.join());
  }

  /** Undefined: it is a bad request. */
  private understood(message: Message): EdgeQuestion | undefined {
    const { stackTraceLimit } = Error;
    // Where a bad request was found out nobody asks, and it takes longer than to find it out.
    Error.stackTraceLimit = 0;
    try {
      return this.dialect.parse(requestOf(message));
    } catch (error) {
      if (error instanceof BadRequest) return undefined;
      throw error;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }
}

/** As `identify` makes it where no backend says what it goes by. */
function fingerprint(facts: EdgeFacts): string {
  return fingerprintOf(facts, credentialOf(facts, []), facts.givenSessionId !== '');
}

function requestOf(message: Message): EdgeRequest {
  const rest = message.target.slice(ADDRESS.length);
  const mark = rest.indexOf('?');
  const [path, query] = mark === -1 ? [rest, ''] : [rest.slice(0, mark), rest.slice(mark + 1)];
  return received(message, path, query, '10.0.0.9');
}

/** Nobody is let in by what a dialect answers by itself. */
function isRefusal(question: EdgeQuestion): boolean {
  if (question.kind !== 'answered') return false;
  const { status, body = '' } = question.answer;
  return status >= 400 || body.startsWith('{"allowed":false');
}

function same(what: string, wanted: string, read: string): void {
  if (wanted !== read)
    throw new Error(`its ${what} is ${JSON.stringify(read)}, not ${JSON.stringify(wanted)}`);
}
