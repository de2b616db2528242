import { capOfRoute, Limiting, type CheckContext } from '#usher/decisions';
import { readable, type AllowAnswer, type DeviceLimits, type Newcomer, type RuleAllow } from '#usher/domain';
import type { ControlNode } from '../../control-node.js';
import { decides, passes, type Rung } from './rung.js';

export type CappingNode = Pick<ControlNode, 'config' | 'clock' | 'holds' | 'limits'>;

/** What a cap on devices says to a viewer who is allowed. */
export interface Capped {
  readonly rung: Rung;
  /** He is refused. */
  readonly isOver: boolean;
}

type Looked = Awaited<ReturnType<CappingNode['limits']['limits']['look']>>;

/** Looks where a newcomer would take a place. */
class Looking implements DeviceLimits {
  looked: { readonly newcomer: Newcomer; readonly found: Promise<Looked | undefined> } | undefined;

  constructor(private readonly node: CappingNode) {}

  async admit(newcomer: Newcomer): Promise<'admitted'> {
    const found = this.node.limits.limits.look(newcomer).catch(() => undefined);
    this.looked = { newcomer, found };
    return 'admitted';
  }
}

/** The cap on the devices of a user, as a gateway would count them; nobody takes a place. */
export class DeviceCap {
  constructor(private readonly node: CappingNode) {}

  /** Of the route, or of its backends, in words; undefined: there is none. */
  inWords({ route }: Pick<CheckContext, 'route'>): string | undefined {
    const { limits, backends } = this.node.config;
    if (route.target === undefined && route.maxDevices === undefined) return undefined;
    const caps = route.backends.map(
      (name) => [name, capOfRoute(route, backends[name], limits.fromHeaders)] as const,
    );
    const same = route.maxDevices ?? (caps.length === 1 ? caps[0]![1] : undefined);
    if (same !== undefined) return words(same);
    const some = caps.filter(([, cap]) => cap !== undefined);
    if (some.length === 0) return undefined;
    return some.map(([name, cap]) => `${words(cap!)} (${name})`).join(', ');
  }

  /** For whom a backend allows; undefined: no cap applies to him. */
  async ofAnswer(context: CheckContext, answer: AllowAnswer): Promise<Capped | undefined> {
    const [looking, limiting] = this.#limiting();
    await limiting.refusal(context, answer);
    return this.#capped(looking);
  }

  /** For whom a rule lets in. */
  async ofRule(context: CheckContext, outcome: RuleAllow): Promise<Capped | undefined> {
    const [looking, limiting] = this.#limiting();
    await limiting.refusalOfRule(context, outcome);
    return this.#capped(looking);
  }

  #limiting(): [Looking, Limiting] {
    const { config, clock, holds } = this.node;
    const looking = new Looking(this.node);
    return [looking, new Limiting({ clock, config, holds, limits: looking })];
  }

  async #capped({ looked }: Looking): Promise<Capped | undefined> {
    if (looked === undefined) return undefined;
    const { cap, user, isOpen } = looked.newcomer;
    const found = await looked.found;
    if (found === undefined) {
      const rung = passes(
        'limit',
        'His devices cannot be counted now: he is let in.',
        `Redis is away; the cap is ${cap}.`,
      );
      return { rung, isOver: false };
    }
    const { outcome, watching, mode } = found;
    const because = `${devices(watching)} of ${readable(user)} ${watching === 1 ? 'counts' : 'count'} now, the cap is ${cap}${mode === 'observe' ? '; it is only observed' : ''}.`;
    const isOver = outcome === 'over' && mode === 'enforce' && !isOpen;
    if (isOver) return { rung: decides('limit', { allow: false, reason: 'limit-reached' }, because), isOver };
    const says = isOpen ? 'He was allowed earlier: no cap refuses him.' : said(outcome, mode);
    return { rung: passes('limit', says, because), isOver };
  }
}

function said(outcome: Looked['outcome'], mode: Looked['mode']): string {
  switch (outcome) {
    case 'admitted':
      return 'There is room for his device.';
    case 'takes-over':
      return 'He takes over the place of a device of his own, or of one that is probably his.';
    case 'evicts':
      return mode === 'enforce'
        ? 'Another device of his user is cut for him.'
        : 'Another device of his user would be cut for him, were limits.mode enforce.';
    case 'over':
      return 'He would be refused, were limits.mode enforce.';
  }
}

const devices = (count: number): string => (count === 1 ? '1 device' : `${count} devices`);

const words = (cap: number | 'headers'): string =>
  cap === 'headers'
    ? 'as many devices of one user at once as the backend’s answer says'
    : `at most ${devices(cap)} of one user at once`;
