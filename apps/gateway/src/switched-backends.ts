import type { Config } from '#usher/config';
import type { Switch } from '#usher/domain';

/**
 * The backends in whose name something may be kept that stood in because of this switch: its own, and where it is in a
 * group, the others of the group.
 */
export function switchedBackends(
  { groups, routes }: Pick<Config, 'groups' | 'routes'>,
  { kind, name }: Pick<Switch, 'kind' | 'name'>,
): readonly string[] {
  const members = Object.values(groups).map((group) => group.backends);
  if (kind === 'backend') return [name, ...members.filter((all) => all.includes(name)).flat()];
  const route = routes.find((other) => other.name === name);
  if (route === undefined) return [];
  return route.backend === undefined ? (groups[route.group ?? '']?.backends ?? []) : [route.backend];
}
