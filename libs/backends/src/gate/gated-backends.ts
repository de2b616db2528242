import type { GroupConfig } from '#usher/config';
import type { BackendAnswer, BackendPort, Clock, Question } from '#usher/domain';
import { askGroup } from '../group.js';
import type { BackendGate } from './backend-gate.js';
import { refuse } from './refusals.js';

/** Asks what a question names: a backend through its gate, or a group through those of its members. */
export class GatedBackends implements BackendPort {
  constructor(
    private readonly gates: ReadonlyMap<string, BackendGate>,
    private readonly groups: Readonly<Record<string, GroupConfig>>,
    private readonly clock: Clock,
  ) {}

  /** Rejects only where neither a backend nor a group has this name. */
  async ask(question: Question): Promise<BackendAnswer> {
    const deadline = this.clock.monotonic() + (question.deadline - this.clock.now());
    const { groups } = this;
    const { target } = question;
    const group = Object.hasOwn(groups, target) ? groups[target] : undefined;
    if (group === undefined) return await this.#askOne(target, question, deadline);
    const members = group.backends.map((name) => ({
      name,
      ask: (signal: AbortSignal) => this.#askOne(name, question, deadline, signal),
    }));
    return await askGroup(target, group, members, this.clock);
  }

  async #askOne(
    name: string,
    question: Question,
    deadline: number,
    signal?: AbortSignal,
  ): Promise<BackendAnswer> {
    const gate = this.gates.get(name);
    if (gate === undefined) throw new Error(`there is no backend or group ${name}`);
    if (question.skip?.includes(name) === true)
      return refuse(name, gate.switched ? 'switched' : 'suspended', 0);
    const { known, probes, unguarded, canary, last, askedAt, renews } = question;
    const onTheWay = askedAt === undefined ? 0 : Math.max(0, this.clock.now() - askedAt);
    const probeLease = probes?.[name];
    const more = { probeLease, unguarded, canary, last, again: renews !== undefined, signal };
    return await gate.ask(question.check, { deadline, onTheWay, known, ...more });
  }
}
