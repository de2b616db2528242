import type { Clock, Hold, Log, SessionName } from '#usher/domain';
import type { JobQueue, WorkedJob } from '../queues/job-queue.js';
import { kickPage, type Kick, type KickParts, type KickPlace } from './kick.js';

/**
 * By then every gateway knows of the hold, by the news or by its look each 5 s, and has written what it allowed before
 * that, ms.
 */
const LOOK_AGAIN_AFTER = 8_000;

/** The rest of a kick of more sessions than one page has, or its second look. */
export interface KickWork extends KickPlace {
  readonly kick: Kick;
  /** When it began: cluster time, ms. */
  readonly at: number;
}

/** What was done by the time of the answer. */
export interface KickReport {
  readonly revoked: readonly SessionName[];
  readonly holds: readonly Hold[];
  /** There are more: they are ended one page after the other, whatever becomes of this process. */
  readonly goesOn: boolean;
  /** Of `revoked`: their edges cannot be told to cut, so that what plays may play on. */
  readonly cannotCut: number;
}

export interface KicksParts extends KickParts {
  /** Whether this edge can be told to cut. */
  readonly canCut: (edge: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Ends sessions: the first page at once, the rest as jobs, a page each; and a second time a moment later, for whom a gateway
 * let in meanwhile that had not heard of it.
 */
export class Kicks {
  #queue: JobQueue<KickWork> | undefined;

  constructor(private readonly parts: KicksParts) {}

  /** Before the first kick: where the rest of a kick waits. */
  use(queue: JobQueue<KickWork>): void {
    this.#queue = queue;
  }

  /** Rejects while Redis is away or late; what was reached by then is revoked. */
  async kick(kick: Kick): Promise<KickReport> {
    const at = this.parts.clock.now();
    const { revoked, holds, cursor } = await kickPage(this.parts, kick);
    await this.#goOn({ kick, at, cursor });
    const { by, reason, target } = kick;
    this.parts.log.info({ by, reason, target, revoked: revoked.length }, 'sessions were kicked');
    return {
      revoked: revoked.map(({ edge, sessionId }) => ({ edge, sessionId })),
      holds,
      goesOn: cursor !== undefined,
      cannotCut: revoked.filter(({ edge }) => !this.parts.canCut(edge)).length,
    };
  }

  /** One page more. A page that is done twice harms nobody: what is revoked is passed over. */
  async work({ data }: Pick<WorkedJob<KickWork>, 'data'>): Promise<void> {
    const { cursor, revoked } = await kickPage(this.parts, data.kick, data);
    if (data.missedSince !== undefined && revoked.length > 0)
      this.parts.log.info({ revoked: revoked.length }, 'sessions that began while they were kicked were too');
    await this.#goOn({ ...data, cursor });
  }

  /** The next page; after the last one the second look, which is the last thing that is done. */
  async #goOn(work: KickWork): Promise<void> {
    if (this.#queue === undefined) throw new Error('kicks: no queue for what is left');
    if (work.cursor !== undefined) await this.#queue.add(work);
    else if (work.missedSince === undefined)
      await this.#queue.add({ ...work, missedSince: work.at }, { delay: LOOK_AGAIN_AFTER });
  }
}
