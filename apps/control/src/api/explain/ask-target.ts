import { askGroup } from '#usher/backends';
import type { BackendAnswer, Check } from '#usher/domain';
import type { ControlNode } from '../../control-node.js';

/** Asks a backend or a group past their gates: no breaker, pacer or bulkhead hears of it, and no session is opened. */
export async function askTarget(
  { config, adapters, clock }: Pick<ControlNode, 'config' | 'adapters' | 'clock'>,
  target: string,
  check: Check,
): Promise<BackendAnswer> {
  const one = (name: string, signal?: AbortSignal): Promise<BackendAnswer> => {
    const adapter = adapters.get(name);
    const backend = config.backends[name];
    if (adapter === undefined || backend === undefined) throw new Error(`there is no backend ${name}`);
    return adapter.ask(check, { timeoutMs: backend.timeout, signal });
  };
  const group = Object.hasOwn(config.groups, target) ? config.groups[target] : undefined;
  if (group === undefined) return one(target);
  const members = group.backends.map((name) => ({ name, ask: (signal: AbortSignal) => one(name, signal) }));
  return askGroup(target, group, members, clock);
}
