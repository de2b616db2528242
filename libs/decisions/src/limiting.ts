import type { BackendConfig, Config } from '#usher/config';
import { maskedPath, viewerKeyOf } from '#usher/domain';
import type { AllowAnswer, Clock, DeviceKind, DeviceLimits, Holds, Newcomer, RuleAllow } from '#usher/domain';
import type { CheckContext, Verdict } from './check-context.js';
import type { Route } from './routes.js';
import { ASKED_AGAIN_AFTER } from './session-of.js';
import { RULES_NAMESPACE } from './verdicts.js';

/** A larger cap is none: so many devices of one user are not counted. As `maxDevices` in the configuration. */
export const MAX_CAP = 250;

/** What a late answer is about. */
export type LateContext = Pick<CheckContext, 'check' | 'identity' | 'route' | 'habit' | 'previous' | 'plays'>;
type Whose = Pick<Newcomer, 'user' | 'namespace' | 'cap' | 'device' | 'asksAgainAfter'>;

export interface LimitingParts {
  readonly clock: Clock;
  readonly config: Pick<Config, 'limits' | 'backends'>;
  readonly limits: DeviceLimits;
  readonly holds: Holds;
}

/** Whom a cap on devices applies to, and what becomes of whoever is over it. */
export class Limiting {
  constructor(private readonly parts: LimitingParts) {}

  /**
   * Somebody may be refused whom the backend allows: nobody else opens the session of this check, for it would count,
   * and be cut, without having been admitted.
   */
  mayRefuse(route: Route): boolean {
    const { limits, backends } = this.parts.config;
    if (limits.mode !== 'enforce' || route.target === undefined) return false;
    return route.backends.some((name) => capOfRoute(route, backends[name], limits.fromHeaders) !== undefined);
  }

  /** Takes a place for a session that the backend allowed; where there is none, it is refused. Never rejects. */
  async refusal(context: CheckContext, answer: AllowAnswer): Promise<Verdict | undefined> {
    const newcomer = this.newcomer(context, answer);
    return newcomer !== undefined && (await this.isOver(newcomer)) ? refused(answer) : undefined;
  }

  /** Nobody waits for the answer any more, and its session is opened: it takes a place all the same. Never rejects. */
  async countLate(context: Omit<LateContext, 'plays'>, answer: AllowAnswer): Promise<void> {
    const newcomer = this.newcomer({ ...context, plays: true }, answer);
    if (newcomer !== undefined) await this.parts.limits.admit(newcomer);
  }

  /** The same for a session that a rule let in, under the cap of its route or token. */
  async refusalOfRule(
    context: CheckContext,
    { user = '', until, maxSessions }: RuleAllow,
  ): Promise<Verdict | undefined> {
    const cap =
      context.route.maxDevices ?? (maxSessions === undefined ? undefined : capOfNumber(maxSessions));
    if (this.parts.config.limits.mode === 'off' || user === '' || cap === undefined) return undefined;
    const { check, identity } = context;
    const device = viewerKeyOf(check, undefined) === identity.viewerKey ? 'guess' : 'named';
    const asksAgainAfter = until === undefined ? ASKED_AGAIN_AFTER : until - this.parts.clock.now();
    const newcomer = this.newcomerOf(context, {
      user,
      namespace: RULES_NAMESPACE,
      cap,
      device,
      asksAgainAfter,
    });
    if (newcomer === undefined || !(await this.isOver(newcomer))) return undefined;
    return { decision: { ...OVER, user }, until: 0, standIn: false };
  }

  private async isOver(newcomer: Newcomer): Promise<boolean> {
    const admission = this.parts.limits.admit(newcomer);
    // Only observed: nobody waits for it.
    return this.parts.config.limits.mode === 'enforce' && (await admission) === 'over';
  }

  /** Undefined where no cap applies. */
  private newcomer(context: LateContext, answer: AllowAnswer): Newcomer | undefined {
    const { config } = this.parts;
    const { user = '', backend: name } = answer;
    const backend = config.backends[name];
    if (config.limits.mode === 'off' || user === '' || backend === undefined) return undefined;
    const cap = this.capOf(context.route, backend, answer);
    if (cap === undefined) return undefined;
    return this.newcomerOf(context, {
      user,
      namespace: backend.namespace ?? name,
      cap,
      device: deviceOf(context, backend),
      asksAgainAfter: answer.authDuration === undefined ? ASKED_AGAIN_AFTER : answer.authDuration * 1000,
    });
  }

  private newcomerOf(
    { check, identity, habit, previous, plays }: LateContext,
    who: Whose,
  ): Newcomer | undefined {
    const { viewerKey } = identity;
    // Who is held is refused for that, and who has a free pass has no cap.
    if (this.parts.holds.ofUser(who.namespace, who.user, viewerKey) !== undefined) return undefined;
    const { edge, sessionId, channel, path } = check;
    return {
      edge,
      sessionId,
      ...who,
      viewerKey,
      habit,
      channel: channel === '' ? maskedPath(path) : channel,
      isOpen: previous !== undefined,
      ...(plays === true ? { isLate: true } : {}),
    };
  }

  private capOf(route: Route, backend: BackendConfig, answer: AllowAnswer): number | undefined {
    const cap = capOfRoute(route, backend, this.parts.config.limits.fromHeaders);
    return cap === 'headers' ? capInHeaders(answer) : cap;
  }
}

/** How many devices of a user may watch; `headers`: as the answer says; undefined: any number. */
export function capOfRoute(
  route: Route,
  backend: BackendConfig | undefined,
  fromHeaders: boolean,
): number | 'headers' | undefined {
  const cap = route.maxDevices ?? backend?.maxDevices;
  // To Ministra X-Max-Sessions is a setting of its recorder, and it sends X-Unique to everybody.
  return cap ?? (fromHeaders && backend !== undefined && backend.type !== 'ministra' ? 'headers' : undefined);
}

/** Where both are sent the number counts: it is never the stricter one. No number, or 0, is no cap. */
function capInHeaders({ maxSessions = 0, unique }: AllowAnswer): number | undefined {
  return capOfNumber(maxSessions > 0 ? maxSessions : unique === true ? 1 : 0);
}

const capOfNumber = (most: number): number | undefined => (most > 0 && most <= MAX_CAP ? most : undefined);

function deviceOf({ check, identity }: LateContext, backend: BackendConfig): DeviceKind {
  if (viewerKeyOf(check, undefined) !== identity.viewerKey) return 'named';
  return backend.type === 'ministra' ? 'user' : 'guess';
}

const OVER = { allow: false, source: 'rule', reason: 'limit-reached' } as const;

function refused(answer: AllowAnswer): Verdict {
  const { backend, user, sessionName, tookMs } = answer;
  return {
    decision: { ...OVER, backend, user, sessionName, tookMs },
    answer,
    until: 0,
    standIn: false,
  };
}
