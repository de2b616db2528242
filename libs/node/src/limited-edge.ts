import { controlTypeOf, type Config, type EdgeConfig } from '#usher/config';
import type { Newcomer } from '#usher/domain';
import type { SlotWanted } from '#usher/sessions';

/** Signs of life of an edge that asks are told so much later at most: a flush of the gateway, and one that was late, ms. */
const TOLD_LATE = 20_000;
/** An edge that asks again only after longer than this tells nobody in time that a session has gone, ms. */
const LONGEST_SILENCE = 600_000;

type Way = Pick<SlotWanted, 'canCut' | 'isSeen' | 'grace'>;

/**
 * How an edge tells of its sessions. The grace: one that lives shows it more often than that, and one that has gone is
 * told of no more after it.
 */
export function limitedEdge(
  config: Pick<Config, 'edges' | 'limits'>,
  { edge: name, habit, asksAgainAfter = 0 }: Pick<Newcomer, 'edge' | 'habit' | 'asksAgainAfter'>,
): Way {
  const edge = config.edges[name];
  const canCut = edge !== undefined && controlTypeOf(edge) !== undefined;
  const isSeen = habit !== 'once';
  const { zapGrace } = config.limits;
  if (habit === 'per-request') return { canCut, isSeen, grace: zapGrace };
  if (habit === 'once') return { canCut, isSeen, grace: edge === undefined ? 0 : graceOfList(edge) };
  // However long the backend's answer holds.
  const silent = Math.min(asksAgainAfter, edge?.ttl ?? Number.POSITIVE_INFINITY) + TOLD_LATE;
  return { canCut, isSeen, grace: silent > LONGEST_SILENCE ? 0 : Math.max(zapGrace, silent) };
}

/** Only Astra has a list that we can read: it may list a session for its timeout after the player has gone. */
function graceOfList(edge: EdgeConfig): number {
  return controlTypeOf(edge) === 'astra' ? edge.sessionTimeout + 2 * edge.listInterval : 0;
}
