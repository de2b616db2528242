/** Something of the bus itself went wrong; `code` tells what. */
export class BusError extends Error {
  constructor(
    readonly code: BusErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'BusError';
  }
}

export type BusErrorCode =
  /** No connection to Redis now. */
  | 'away'
  /** A command was not answered in time; it may still be executed. */
  | 'late'
  /** Nobody took the request in time, or nobody listens to its pattern and lane. */
  | 'not-taken'
  /** All living workers are full, until the deadline. */
  | 'full'
  /** It was taken, and no reply came in time. */
  | 'silent'
  | 'closed';
