import type { Check } from '#usher/domain';
import type { ClusterNode } from '#usher/node';

/** Names a question: every input that the target's backends see. Equal keys may share an answer. */
export function questionKeys({
  adapters,
  config,
}: Pick<ClusterNode, 'adapters' | 'config'>): (check: Check, target: string) => string {
  return (check, target) => {
    const members = Object.hasOwn(config.groups, target) ? config.groups[target]!.backends : [target];
    let key = target;
    for (const member of members) key += `/${adapters.get(member)?.questionKey(check) ?? ''}`;
    return key;
  };
}
