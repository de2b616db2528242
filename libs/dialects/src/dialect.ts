import type { EdgeConfig } from '#usher/config';
import type { AskingHabit, Check, Decision, DialectName } from '#usher/domain';

/** A request as node:http gives it; strings are byte strings. Header names are in lower case. */
export interface EdgeRequest {
  readonly method: string;
  /** What stands behind the dialect's name in the address, `/` first; empty where nothing does. */
  readonly path: string;
  /** The raw query without `?`. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** As it came, 64 KiB at most; empty where none did. */
  readonly body: Buffer;
  /** X-Forwarded-For as the edge itself sent it: without what load balancers of ours appended. None: the header counts. */
  readonly forwardedFor?: string;
  /** The asking connection's address: stands in for the viewer's where the edge names none (a plain curl). */
  readonly remoteAddress: string;
}

/** What a dialect reads from a request: a Check without what only we know. */
export interface EdgeFacts extends Omit<Check, 'id' | 'edge' | 'dialect' | 'sessionId' | 'sessionGiven'> {
  /** The edge's own session id, where it sent one. */
  readonly givenSessionId: string;
  /** No header of the dialect was there: somebody tries it by hand, and is told more. */
  readonly byHand?: boolean;
  /** What is asked about, where one channel's name may stand at several places: part of the fingerprint. */
  readonly place?: string;
  /** The edge asks about each request, and not each shows the viewer's credentials. */
  readonly visit?: Visit;
  /** The viewer was not asked for his credentials yet: whom a backend would be asked about is asked for them. */
  readonly lacksCredentials?: boolean;
}

/** One viewer at one place: what shows no credentials goes on with the session of what did. */
export interface Visit {
  /** Who this is, as far as can be told without credentials. */
  readonly who: string;
  /** This request shows credentials. */
  readonly isShown: boolean;
}

/** What an edge wants of us. */
export type EdgeQuestion =
  | { readonly kind: 'check'; readonly facts: EdgeFacts }
  /** Sessions of these ids ended. */
  | { readonly kind: 'ended'; readonly sessionIds: readonly string[]; readonly answer: EdgeAnswer }
  /** Nothing to decide: the dialect answers it by itself. */
  | {
      readonly kind: 'answered';
      readonly answer: EdgeAnswer;
      /** The edge is set up wrongly: what to do about it, for the log. */
      readonly complaint?: string;
    };

/** What goes back to the edge. Header names and values are safe to write as they are. */
export interface EdgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** None: an empty one. Its type is among the headers. */
  readonly body?: string;
}

/** The request could not be understood: answered with 400 and this sentence. */
export class BadRequest extends Error {
  readonly code = 'USHER_BAD_REQUEST';
}

/** The wire protocol as one edge speaks it: parses a request, renders a decision. No state, no I/O. */
export interface Dialect {
  /** @throws BadRequest */
  readonly parse: (request: EdgeRequest) => EdgeQuestion;
  /** Fills in what the edge leaves to be read out of the rest: Alta's channel out of its path. `parse` did so already. */
  readonly complete?: (facts: EdgeFacts) => EdgeFacts;
  /** `facts`: what was asked about. */
  readonly render: (decision: Decision, facts: EdgeFacts) => EdgeAnswer;
  /**
   * For edges that ask about each request: what of it counts, in one text. Requests of one edge with one gist are one
   * question. Quick, for it is read for each of them; undefined: read it as a whole. Without the body.
   */
  readonly gist?: (request: EdgeRequest) => string | undefined;
  /** The header of an answer that holds `Decision.edgeTtl`. */
  readonly ttlHeader?: string;
  /** This edge gives up by then, ms; undefined: as all of its type. */
  readonly deadline?: number;
}

/** A wire protocol, for any edge. */
export interface DialectType {
  readonly name: DialectName;
  readonly habit: AskingHabit;
  /** The edge itself would let the viewer in if it could not reach us: our overload does likewise. */
  readonly opensWhenAlone: boolean;
  /** What an edge may ask with; any other method gets 405. */
  readonly methods: ReadonlySet<string> | 'any';
  /** Asked at `/e/<edge>/<its name>`; else only at `/e/<edge>/check`. */
  readonly hasAddress: boolean;
  /** More may stand behind its name in the address. */
  readonly hasPaths: boolean;
  /** Equal requests may be answered by heart: an answer depends on nothing but what `request-key.ts` compares. */
  readonly isRemembered: boolean;
  /**
   * The edge is told how long it may rely on an answer: `Decision.edgeTtl`. granted: it ends the session then, so it is
   * told of nothing but the time that a backend gave.
   */
  readonly tellsTtl: boolean | 'granted';
  /** The edge gives up by then, ms; undefined: not before our own deadline. */
  readonly deadline?: number;
  readonly speak: (edge: EdgeConfig) => Dialect;
}
