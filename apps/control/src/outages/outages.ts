import type { Check, CloseReason, Session } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { Leases, outageEvents, outageId, OutageReports, OutageStore } from '#usher/sessions';
import type { OutageName } from '#usher/sessions';
import { askLast } from '../ask-last.js';
import { OutageJob, type BreakerView } from './outage-job.js';
import { recheckOutage } from './recheck.js';

/** Questions a second about an outage's loans; of a paced backend half of its pace at most. */
const PACE = 50;

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
  | 'events'
>;

/** Ends a session that the backend refuses now; false where it was gone. */
export type Revoke = (session: Session, reason: CloseReason) => Promise<boolean>;

/** Looks after the ledgers of outages, in one control process at a time. */
export function outageJob(node: OutageNode, revoke: Revoke): OutageJob {
  const { redis, clock, log, random, registry, config, events, membership } = node;
  const store = new OutageStore(redis);
  const { backends } = config;
  const checkOf = checkReader(node, store);
  return new OutageJob({
    redis,
    clock,
    log,
    store,
    registry,
    leases: new Leases(redis, clock, { job: 'outages', parts: 1, owner: node.id }),
    tell: outageEvents(events, log),
    backends: Object.keys(backends),
    lives: (id) => (membership.alone ? undefined : membership.nodes().some((member) => member.id === id)),
    breaker: (backend) => breakerOf(node, backend),
    afterOutage: (backend) => backends[backend]?.afterOutage ?? 'report',
    credential: (backend) => backends[backend]?.credential ?? 'once',
    recheck: (name, loans, note, signal) =>
      recheckOutage(
        {
          clock,
          random,
          checkOf,
          read: (session) => registry.read(session),
          ask: (question) => askLast(node, question),
          revoke,
          mayAsk: (backend) => breakerOf(node, backend)?.closed === true,
          pace: (backend) => Math.min(PACE, (backends[backend]?.pace ?? Infinity) / 2),
          note,
          signal,
        },
        name,
        loans,
      ),
  });
}

/** For operators: the outages of all configured backends. */
export function outageReports({ redis, clock }: Pick<OutageNode, 'redis' | 'clock'>): OutageReports {
  return new OutageReports(new OutageStore(redis), clock);
}

function breakerOf({ gates }: OutageNode, backend: string): BreakerView {
  const status = gates.gates.get(backend)?.status();
  return status === undefined || status.alone
    ? undefined
    : { closed: status.state === 'closed', since: status.since };
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
