import type { ControlNode } from '../../control-node.js';

/** What is broken in the cluster as this process sees it, from memory; a few words each, without secrets. */
export function problemsOf({ redis, membership, gates }: ControlNode): string[] {
  const problems: string[] = [];
  if (redis.away) problems.push('Redis is away');
  const lives = (role: string): boolean =>
    membership.nodes().some((member) => member.role.split('+').includes(role));
  if (!lives('gateway')) problems.push('no gateway lives: nobody answers edges');
  if (!lives('worker')) problems.push('no worker lives: gateways ask the backends themselves');
  for (const gate of gates.gates.values()) {
    const { backend, state, isolated, suspicion } = gate.status();
    if (state !== 'closed') problems.push(`backend ${backend} is ${state}`);
    if (isolated) problems.push(`backend ${backend} cannot be reached from here`);
    if (suspicion !== undefined) problems.push(`backend ${backend} answers unlike itself`);
  }
  return problems;
}
