import type { Check, CloseReason, Session } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import {
  type EdgeCutters,
  Leases,
  outageEvents,
  outageId,
  OutageReports,
  OutageStore,
} from '#usher/sessions';
import type { OutageName } from '#usher/sessions';
import { askLast } from '../ask-last.js';
import { widthOf } from '../width.js';
import { OutageJob } from './outage-job.js';
import { backendNow, breakerOf } from './backend-now.js';
import { recheckOutage } from './recheck.js';
import { recycleOutage } from './recycle.js';
import { returnedTo } from './returned.js';

/** What settling needs of the cluster's node. */
export type OutageNode = Pick<
  ClusterNode,
  | 'id'
  | 'config'
  | 'log'
  | 'random'
  | 'clock'
  | 'redis'
  | 'sealer'
  | 'registry'
  | 'membership'
  | 'bus'
  | 'questions'
  | 'backends'
  | 'settle'
  | 'gates'
  | 'switches'
  | 'known'
  | 'owed'
>;

/** Ends a session that the backend refuses now; false where it was gone. */
export type Revoke = (session: Session, reason: CloseReason) => Promise<boolean>;

/** Looks after the ledgers of outages, in one control process at a time. */
export function outageJob(
  node: OutageNode,
  revoke: Revoke,
  cutters: Pick<EdgeCutters, 'canCut' | 'cut'>,
): OutageJob {
  const { redis, clock, log, random, registry, config, owed, membership } = node;
  const store = new OutageStore(redis);
  const { backends } = config;
  const checkOf = checkReader(node, store);
  const leases = new Leases(redis, clock, { job: 'outages', parts: 1, owner: node.id });
  const returned = returnedTo(node);
  const half = (pace: number, backend: string): number =>
    Math.min(pace, (backends[backend]?.pace ?? Infinity) / 2);
  const recheckPace = (backend: string): number => half(backends[backend]?.recheckPace ?? 1, backend);
  return new OutageJob({
    redis,
    clock,
    log,
    store,
    registry,
    leases,
    tell: outageEvents(owed, log),
    backends: Object.keys(backends),
    lives: (id) => (membership.alone ? undefined : membership.nodes().some((member) => member.id === id)),
    breaker: (backend) => breakerOf(node, backend),
    afterOutage: (backend) => backends[backend]?.afterOutage ?? 'report',
    credential: (backend) => backends[backend]?.credential ?? 'once',
    recheck: (name, loans, book, signal) =>
      recheckOutage(
        {
          clock,
          random,
          checkOf,
          read: (session) => registry.read(session),
          ask: (question) => askLast(node, question),
          revoke,
          // Another control may go on with it where Redis was away for long.
          mayAsk: (backend) => leases.holds(0) && backendNow(node, backend) === 'asked',
          pace: recheckPace,
          width: (backend) => widthOf(backends[backend], recheckPace(backend)),
          book,
          signal,
        },
        name,
        loans,
      ),
    canCut: (edge) => cutters.canCut(edge),
    recycle: (name, loans, earlier, book, signal) =>
      recycleOutage(
        {
          clock,
          random,
          read: (session) => registry.read(session),
          cut: (session, ended) => cutters.cut(session, ended),
          close: (session) => registry.close(session, 'recycled', { fingerprint: session.fingerprint }),
          backendNow: (backend) => (leases.holds(0) ? backendNow(node, backend) : 'unsure'),
          returned,
          pace: (backend) => half(backends[backend]?.recyclePace ?? 1, backend),
          note: (loan, result) => book.note(loan, result),
          stop: (why) => book.stop(why),
          signal,
        },
        name,
        loans,
        earlier,
      ),
  });
}

/** For operators: the outages of all configured backends. */
export function outageReports({ redis, clock }: Pick<OutageNode, 'redis' | 'clock'>): OutageReports {
  return new OutageReports(new OutageStore(redis), clock);
}

/** The check that a gateway sealed with a line. */
function checkReader({ sealer }: OutageNode, store: OutageStore) {
  return async (name: OutageName, field: string): Promise<Check | undefined> => {
    const sealed = await store.sealedCheck(name, field);
    const text = sealed && sealer.open(sealed, `outage ${outageId(name)} ${field}`);
    // What opens was sealed by one of us.
    return text === undefined || text === '' ? undefined : (JSON.parse(text) as Check);
  };
}
