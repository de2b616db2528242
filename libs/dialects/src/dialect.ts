import type { AskingHabit, Check, Decision, DialectName } from '#usher/domain';

/** A request as node:http gives it; strings are byte strings. Header names are in lower case. */
export interface EdgeRequest {
  /** The viewer's raw query without `?`. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The asking connection's address: stands in for the viewer's where the edge names none (a plain curl). */
  readonly remoteAddress: string;
}

/** What a dialect reads from a request: a Check without what only we know. */
export interface EdgeFacts extends Omit<Check, 'id' | 'edge' | 'sessionId' | 'sessionGiven'> {
  /** The edge's own session id, where it sent one. */
  readonly givenSessionId: string;
  /** No header of the dialect was there: somebody tries it by hand, and is told more. */
  readonly byHand: boolean;
}

/** What goes back to the edge. Header names and values are safe to write as they are. */
export interface EdgeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** The request could not be understood: answered with 400 and this sentence. */
export class BadRequest extends Error {
  readonly code = 'USHER_BAD_REQUEST';
}

/** The wire protocol that an edge speaks: parses a request, renders a decision. No state, no I/O. */
export interface Dialect {
  readonly name: DialectName;
  readonly habit: AskingHabit;
  /** The edge itself would let the viewer in if it could not reach us: our overload does likewise. */
  readonly opensWhenAlone: boolean;
  /** @throws BadRequest */
  parse(request: EdgeRequest): EdgeFacts;
  render(decision: Decision): EdgeAnswer;
}
