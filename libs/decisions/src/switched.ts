import type { FailMode, Switch, Switches, UnavailableAnswer } from '#usher/domain';
import type { CheckContext } from './check-context.js';
import type { Route } from './routes.js';

const NONE: readonly string[] = [];
const FORCED: Readonly<Record<'open' | 'stale' | 'closed', FailMode>> = {
  open: { kind: 'open' },
  stale: { kind: 'stale', then: 'closed' },
  closed: { kind: 'closed' },
};

/** The switch by which nobody is asked on this route: its own, or where all its backends are switched the first one's. */
export function switchOn(switches: Switches, { name, backends }: Route): Switch | undefined {
  const own = switches.ofRoute(name);
  if (own !== undefined) return own;
  let first: Switch | undefined;
  for (const backend of backends) {
    const switched = switches.ofBackend(backend);
    if (switched === undefined) return undefined;
    first ??= switched;
  }
  return first;
}

/** Members that are left out of a group of which others are asked. */
export function switchedMembers(switches: Switches, { backends }: Route): readonly string[] {
  if (backends.length < 2) return NONE;
  return backends.some((backend) => switches.ofBackend(backend) !== undefined)
    ? backends.filter((backend) => switches.ofBackend(backend) !== undefined)
    : NONE;
}

/** The check as it goes on: what stands in follows the switch's fail mode. */
export function underSwitch(context: CheckContext, { mode }: Switch): CheckContext {
  const { route } = context;
  const failMode = mode === 'maintenance' ? route.failMode : FORCED[mode];
  return { ...context, route: { ...route, failMode }, letIn: mode === 'open' };
}

/** Nobody is asked. */
export function switchedAnswer(target: string, { kind, name, mode }: Switch): UnavailableAnswer {
  return {
    kind: 'unavailable',
    backend: target,
    because: 'backend',
    reason: 'backend-switched',
    detail: `${kind} ${name} is switched: ${mode}`,
    tookMs: 0,
  };
}
