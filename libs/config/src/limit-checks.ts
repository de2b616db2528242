import { controlTypeOf } from './control-checks.js';
import type { Problem } from './problem.js';
import type { Config } from './schema.js';

/** What limits that are enforced cannot do with these edges. */
export function limitWarnings(config: Config): Problem[] {
  const { limits, edges } = config;
  if (limits.mode !== 'enforce' || !hasCaps(config)) return [];
  const all = Object.entries(edges);
  if (all.length === 0) {
    const message = 'no edges are configured, so nobody tells when a session ends: it counts for nothing';
    return [{ path: ['limits', 'mode'], message }];
  }
  return all.flatMap(([name, edge]) => {
    const type = controlTypeOf(edge);
    if (type === 'astra') return [];
    const unlisted =
      'limits are enforced, and it has no session list: unless it asks again nothing there counts';
    const uncut = limits.over === 'evict' && type === undefined ? ', and nobody there can be evicted' : '';
    return [{ path: ['edges', name], message: unlisted + uncut }];
  });
}

function hasCaps({ limits, backends, routes }: Config): boolean {
  const capped = [...Object.values(backends), ...routes];
  return limits.fromHeaders || capped.some(({ maxDevices }) => maxDevices !== undefined);
}
