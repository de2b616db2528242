import { listSessions } from '#usher/sessions';
import type { ControlNode } from '../control-node.js';
import type { Cutting } from '../cutting/cutting.js';
import type { Queues } from '../queues/queues.js';
import { revoking } from '../revoking.js';
import { Kicks, type KickWork } from './kicks.js';

/** Two users on one viewer key within this time are more than one person, ms. */
const LATELY = 3_600_000;

/** Begins to work on what is left of kicks, of whichever control they are. It ends with the queues. */
export function openKicks(
  node: ControlNode,
  queues: Pick<Queues, 'open'>,
  { cutters }: Pick<Cutting, 'cutters'>,
): Kicks {
  const { redis, registry, holds, known, clock, log } = node;
  const kicks = new Kicks({
    list: (query) => listSessions(redis, registry, query),
    read: (name) => registry.read(name),
    revoke: revoking(node),
    hold: (hold) => holds.set(hold),
    isHeld: ({ ip, channel, userAgent, viewerKey, namespace, user }) => {
      const facts = { ip, channel, userAgent, viewerKey, credential: '' };
      const hold = holds.before(facts) ?? holds.ofUser(namespace, user, viewerKey);
      return hold?.effect === 'refuse' && hold.origin === 'kick';
    },
    isShared: async ({ backend, viewerKey }) => {
      const { mixedAt = 0 } = (await known.find(backend, viewerKey)) ?? {};
      return clock.now() - mixedAt < LATELY;
    },
    canCut: (edge) => cutters.canCut(edge),
    clock,
    log,
  });
  kicks.use(queues.open<KickWork>({ name: 'kicks', work: (job) => kicks.work(job) }));
  return kicks;
}
