import type { Lane } from './lane.js';
import type { Command } from './line.js';

/** All servers are one consumer: without acknowledgements (NOACK) a consumer's name means nothing. */
export const GROUP = 'servers';
const CONSUMER = 'any';
/** Most that one look takes from a stream: keeps the loop's turns short. */
const BATCH = 128;

export const bothStreams = (lanes: readonly Lane[]): string[] =>
  lanes.flatMap((lane) => [lane.normal, lane.low]);

export interface Look {
  readonly keys: readonly string[];
  /** Most that each stream may give. */
  readonly count: number;
}

/** One stream, with all free slots: normal requests first, low ones when there are no others. */
export const soloLook = (lane: Lane): Look => ({
  keys: [lane.moreNormal ? lane.normal : lane.low],
  count: Math.min(lane.free, BATCH),
});

/** Each stream may give so many: half of the free slots, since a lane has two. */
export function sharedCount(lanes: readonly Lane[]): number {
  let count = BATCH;
  for (const lane of lanes) count = Math.min(count, Math.floor(lane.free / 2));
  return Math.max(1, count);
}

export function expectNoMore(lane: Lane): void {
  if (lane.moreNormal) lane.moreNormal = false;
  else lane.moreLow = false;
}

export function readCommand(keys: readonly string[], count: number, blockMs?: number): Command {
  const wait = blockMs === undefined ? [] : ['block', blockMs];
  const news = keys.map(() => '>');
  return [
    'xreadgroup',
    'group',
    GROUP,
    CONSUMER,
    'count',
    count,
    ...wait,
    'noack',
    'streams',
    ...keys,
    ...news,
  ];
}

export function trimCommand(key: string, taken: string): Command {
  const [ms, seq] = taken.split('-');
  return ['xtrim', key, 'minid', '=', `${ms}-${Number(seq) + 1}`];
}
