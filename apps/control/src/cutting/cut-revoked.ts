import type { CloseReason } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { memberOf, nameOfMember, type RedisSessionRegistry, type StreamEntry } from '#usher/sessions';
import { TooManyCutsError, type CutJob } from './cut-job.js';
import type { CutSession, OnCut } from './cut-order.js';

/**
 * Orders the cut of the sessions that were revoked, whoever revoked them and whatever became of him: the event was written
 * with the revocation. Rejects while orders cannot be stored: the events are handed over again.
 */
export function cutRevoked(job: Pick<CutJob, 'requestCuts' | 'giveUp'>) {
  return async (shard: string, entries: readonly StreamEntry[]): Promise<void> => {
    const revoked = entries.flatMap(({ fields }) => revokedIn(fields, shard));
    try {
      await job.requestCuts(revoked);
    } catch (error) {
      if (!(error instanceof TooManyCutsError)) throw error;
      await job.giveUp(revoked, error.message);
    }
  };
}

function revokedIn(fields: ReadonlyMap<string, string>, shard: string): CutSession[] {
  const name =
    fields.get('type') === 'session.revoked' ? nameOfMember(fields.get('session') ?? '') : undefined;
  if (name === undefined) return [];
  const reason = (fields.get('reason') ?? 'kicked') as CloseReason;
  return [{ ...name, fingerprint: fields.get('fingerprint') ?? '', reason, shard }];
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
    const facts = { session: memberOf(order), reason, outcome: outcome.kind, detail: outcome.detail };
    if (shard === undefined) await events.tell('session.not-cut', `${edge}/${sessionId}`, facts);
    else await events.tellIn(shard, 'session.not-cut', facts);
  };
}
