import type { Problem } from './problem.js';
import type { Config } from './schema.js';

/** What limits that are enforced cannot do with these edges. */
export function limitWarnings(config: Config): Problem[] {
  const { limits, edges } = config;
  if (limits.mode !== 'enforce' || !hasCaps(config)) return [];
  const names = Object.keys(edges);
  if (names.length === 0) {
    const message = 'no edges are configured, so nobody tells when a session ends: it counts for nothing';
    return [{ path: ['limits', 'mode'], message }];
  }
  const unheard = names.filter((name) => edges[name]!.control === undefined);
  return unheard.map((name) => ({
    path: ['edges', name],
    message: `limits are enforced, and it has no control: ${withoutControl(limits.over)}`,
  }));
}

function withoutControl(over: Config['limits']['over']): string {
  const ends = 'unless it asks again by itself its sessions count for nothing';
  return over === 'evict' ? `${ends}, and none of them can be evicted` : ends;
}

function hasCaps({ limits, backends, routes }: Config): boolean {
  const capped = [...Object.values(backends), ...routes];
  return limits.fromHeaders || capped.some(({ maxDevices }) => maxDevices !== undefined);
}
