import { Why } from '#usher/decisions';
import type { ControlNode } from '../control-node.js';
import type { Return, Viewer } from './recycle.js';

type ReturningNode = Pick<ControlNode, 'config' | 'clock' | 'log' | 'redis' | 'known'>;

/**
 * What a backend (or another one of its groups) has said of a viewer since a time: `came-back` where it allowed him, on
 * whatever channel and under whatever session id; `refused` where the last answers to his address have a denial of the same
 * channel. Who shares device parameter, or address and player, with others may be taken for them.
 */
export function returnedTo({ config, clock, log, redis, known }: ReturningNode) {
  const { shards } = config.redis;
  const why = new Why({ clock, log, redis, shards, bounds: config.why, namespaceOf: (backend) => backend });
  const together = (backend: string): string[] => {
    const groups = Object.values(config.groups).filter(({ backends }) => backends.includes(backend));
    return [...new Set([backend, ...groups.flatMap(({ backends }) => backends)])];
  };
  return async ({ backend, viewerKey, ip, channel }: Viewer, since: number): Promise<Return | undefined> => {
    const backends = together(backend);
    const found = await Promise.all(backends.map((name) => known.find(name, viewerKey)));
    if (found.some((viewer) => viewer !== undefined && viewer.allowedAt >= since)) return 'came-back';
    const { answers } = await why.byAddress(ip);
    const isRefused = answers.some(
      (one) =>
        !one.allow &&
        one.because === undefined &&
        one.at >= since &&
        one.channel === channel &&
        backends.includes(one.backend ?? ''),
    );
    return isRefused ? 'refused' : undefined;
  };
}
