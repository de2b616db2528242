import type { GroupConfig } from '#usher/config';
import type { BackendAnswer, BackendPort, Clock, Question } from '#usher/domain';
import { askGroup } from '../group.js';
import type { BackendGate, GateAskOptions } from './backend-gate.js';
import { refuse } from './refusals.js';

/** In a group that is asked in order a question waits no longer in line at one member that is not the last, ms. */
const BEFORE_THE_NEXT = 500;

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
    const last = group.policy === 'first' ? group.backends.at(-1) : undefined;
    const members = group.backends.map((name) => ({
      name,
      ask: (signal: AbortSignal) => {
        const maxWait = last === undefined || name === last ? undefined : BEFORE_THE_NEXT;
        return this.#askOne(name, question, deadline, { signal, maxWait });
      },
    }));
    return await askGroup(target, group, members, this.clock);
  }

  async #askOne(
    name: string,
    question: Question,
    deadline: number,
    asMember: Pick<GateAskOptions, 'signal' | 'maxWait'> = {},
  ): Promise<BackendAnswer> {
    const gate = this.gates.get(name);
    if (gate === undefined) throw new Error(`there is no backend or group ${name}`);
    if (question.skip?.includes(name) === true)
      return refuse(name, gate.switched ? 'switched' : 'suspended', 0);
    const { known, playsAnyway, probes, unguarded, canary, last, askedAt, renews } = question;
    const onTheWay = askedAt === undefined ? 0 : Math.max(0, this.clock.now() - askedAt);
    const probeLease = probes?.[name];
    const more = {
      playsAnyway,
      probeLease,
      unguarded,
      canary,
      last,
      again: renews !== undefined,
      ...asMember,
    };
    return await gate.ask(question.check, { deadline, onTheWay, known, ...more });
  }
}
