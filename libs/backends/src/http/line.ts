import { Client, type Dispatcher } from 'undici';

/** Told, before its request is written, whether the connection has answered before: such a one may be stale. */
export interface LineUser {
  readonly line: { current?: Line };
}

export type LineOptions = Dispatcher.DispatchOptions & Partial<LineUser>;

/** One connection of a pool, which knows how many answers it has given since it was made. */
export class Line extends Client {
  answers = 0;

  constructor(origin: string | URL, options: Client.Options) {
    super(origin, options);
    this.on('connect', () => {
      this.answers = 0;
    });
  }

  override dispatch(options: LineOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (options.line !== undefined) options.line.current = this;
    return super.dispatch(options, handler);
  }
}
