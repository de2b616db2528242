import type { Connect } from './connect.js';
import type { Ask } from './drive.js';

/** One way of request and reply over Redis: who answers, and who asks. Each runs in a process of its own. */
export interface Kind {
  /** Resolves when it answers. */
  serve(connect: Connect): Promise<void>;
  /** Resolves, connected, with what asks once. */
  asker(connect: Connect): Promise<Ask>;
}

/** Questions that a server handles at once. */
export const SLOTS = 512;
