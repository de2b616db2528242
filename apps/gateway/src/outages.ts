import type { Settled } from '#usher/decisions';
import type { Check } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { outageEvents, outageId, OutageLedger, OutageStore, type TrustLimits } from '#usher/sessions';

/** The ledger of outages, as this gateway writes it. */
export interface Outages {
  /** Each check that was settled, but repetitions from memory. */
  note(check: Check, settled: Settled): void;
  /** Letting in on trust has ended for this backend, by a limit that its operator set; from memory. */
  trustEnded(backend: string): 'maxOutage' | 'failOpenBudget' | undefined;
  /** Writes what is still to be written. */
  close(): Promise<void>;
}

/** Writes down who is let in without a decision while a backend cannot be asked. */
export function outages(node: ClusterNode): Outages {
  const { redis, clock, log, sealer, news, gates, config, owed } = node;
  const ledger = new OutageLedger({
    store: new OutageStore(redis),
    clock,
    log,
    node: node.id,
    tell: outageEvents(owed, log),
    seal: (check, name, field) => sealer.seal(JSON.stringify(check), sealedFor(outageId(name), field)),
    rechecked: recheckedBackends(node),
    limits: trustLimits(node),
    peers: () => otherGateways(node),
    most: config.gateway.cacheEntries,
  });
  news.on('breaker', (backend, { state, since, downSince }) =>
    ledger.turned(backend, { closed: state === 'closed', since, downSince }),
  );
  news.on('closed', (names) => ledger.closed(names));
  news.on('idle', (names) => ledger.closed(names));
  for (const gate of gates.gates.values()) {
    const { backend, state, since } = gate.status();
    if (state !== 'closed') ledger.turned(backend, { closed: false, since, downSince: since });
  }
  ledger.start();
  return {
    note: (check, { decision, kept }) => {
      const { allow, source, because, backend, switched } = decision;
      const { fingerprint, session } = kept ?? {};
      // What goes to the edge as it is stands in for nothing.
      if (decision.verbatim === true) return;
      ledger.note(check, { allow, source, because, backend, switched, fingerprint, session });
    },
    trustEnded: (backend) => ledger.trustEnded(backend),
    close: () => ledger.stop(),
  };
}

/** What a sealed check is bound to: it opens in no other line. */
const sealedFor = (outage: string, field: string): string => `outage ${outage} ${field}`;

function recheckedBackends({ config }: ClusterNode): ReadonlySet<string> {
  const asked = Object.entries(config.backends).filter(
    ([, { afterOutage, credential }]) => afterOutage === 'cut' && credential === 'reusable',
  );
  return new Set(asked.map(([name]) => name));
}

function trustLimits({ config }: ClusterNode): ReadonlyMap<string, TrustLimits> {
  return new Map(
    Object.entries(config.backends).map(([name, { maxOutage, failOpenBudget: budget }]) => [
      name,
      { maxOutage, budget },
    ]),
  );
}

/** While Redis is away: those that lived when it was last heard of. */
function otherGateways({ membership, id }: ClusterNode): ReadonlyMap<string, number> {
  const others = membership
    .nodes()
    .filter((member) => member.id !== id && member.role.split('+').includes('gateway'));
  return new Map(others.map((member) => [member.id, member.at]));
}
