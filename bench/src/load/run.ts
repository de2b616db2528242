import type { Connection } from './connection.js';

/** What a loop needs of a run, and what it tells. */
export interface Run {
  readonly connections: readonly Connection[];
  /** Puts the next viewer's check on the connection; `since`: when it was due, ms. */
  send(connection: Connection, since: number): void;
  /** The measured time begins. */
  begin(): void;
  /** The measured time ends before all are answered. A loop that does not say so is measured until they are. */
  end(): void;
  /** The loop's own part in an answer: what to do with a free connection. */
  onFree: (connection: Connection) => void;
}
