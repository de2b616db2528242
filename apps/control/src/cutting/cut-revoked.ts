import type { Log } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { nameOfMember, type RedisSessionRegistry, type StreamEntry } from '#usher/sessions';
import { TooManyCutsError, type CutJob } from './cut-job.js';
import type { OnCut } from './cut-order.js';

/**
 * Orders a cut for each session that was revoked, whoever revoked it and whatever became of him: the event was written
 * with the revocation. Rejects while an order cannot be stored: the events are handed over again.
 */
export function cutRevoked(job: Pick<CutJob, 'requestCut'>, log: Log) {
  return async (shard: string, entries: readonly StreamEntry[]): Promise<void> => {
    for (const { fields } of entries) {
      const name =
        fields.get('type') === 'session.revoked' ? nameOfMember(fields.get('session') ?? '') : undefined;
      if (name === undefined) continue;
      const order = { ...name, fingerprint: fields.get('fingerprint') ?? '', shard };
      try {
        await job.requestCut(order, (fields.get('reason') ?? 'kicked') as never);
      } catch (error) {
        if (!(error instanceof TooManyCutsError)) throw error;
        log.warn({ ...name, why: error.message }, 'a revoked session is not cut at its edge');
      }
    }
  };
}

/** A session that was cut is over; of one that could not be cut it is told, and it stays listed as revoked. */
export function afterCut(
  registry: Pick<RedisSessionRegistry, 'close'>,
  events: ClusterNode['events'],
): OnCut {
  return async (order, outcome) => {
    const { edge, sessionId, fingerprint, reason, shard } = order;
    if (outcome.kind === 'cut' || outcome.kind === 'gone') {
      await registry.close(order, reason, { fingerprint, ifRevoked: true });
      return;
    }
    const facts = { edge, sessionId, reason, outcome: outcome.kind, detail: outcome.detail };
    if (shard === undefined) await events.tell('session.not-cut', `${edge}/${sessionId}`, facts);
    else await events.tellIn(shard, 'session.not-cut', facts);
  };
}
