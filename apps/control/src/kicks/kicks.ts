import type { Hold, Log, SessionName } from '#usher/domain';
import type { JobQueue, WorkedJob } from '../queues/job-queue.js';
import { kickPage, type Kick, type KickParts } from './kick.js';

/** The rest of a kick of more sessions than one page has. */
export interface KickWork {
  readonly kick: Kick;
  readonly cursor: string;
}

/** What was done by the time of the answer. */
export interface KickReport {
  readonly revoked: readonly SessionName[];
  readonly holds: readonly Hold[];
  /** There are more: they are ended one page after the other, whatever becomes of this process. */
  readonly goesOn: boolean;
}

export interface KicksParts extends KickParts {
  readonly log: Log;
}

/** Ends sessions: the first page at once, the rest as jobs, a page each. */
export class Kicks {
  #queue: JobQueue<KickWork> | undefined;

  constructor(private readonly parts: KicksParts) {}

  /** Before the first kick: where the rest of a kick waits. */
  use(queue: JobQueue<KickWork>): void {
    this.#queue = queue;
  }

  /** Rejects while Redis is away or late; what was reached by then is revoked. */
  async kick(kick: Kick): Promise<KickReport> {
    const { revoked, holds, cursor } = await kickPage(this.parts, kick);
    if (cursor !== undefined) await this.#goOn({ kick, cursor });
    const { by, reason, target } = kick;
    this.parts.log.info({ by, reason, target, revoked: revoked.length }, 'sessions were kicked');
    return {
      revoked: revoked.map(({ edge, sessionId }) => ({ edge, sessionId })),
      holds,
      goesOn: cursor !== undefined,
    };
  }

  /** One page more. A page that is done twice harms nobody: what is revoked is passed over. */
  async work({ data }: WorkedJob<KickWork>): Promise<void> {
    const { kick, cursor } = data;
    const page = await kickPage(this.parts, kick, cursor);
    if (page.cursor !== undefined) await this.#goOn({ kick, cursor: page.cursor });
  }

  async #goOn(work: KickWork): Promise<void> {
    if (this.#queue === undefined) throw new Error('kicks: no queue for what is left');
    await this.#queue.add(work);
  }
}
