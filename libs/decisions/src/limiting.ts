import type { BackendConfig, Config } from '#usher/config';
import { viewerKeyOf } from '#usher/domain';
import type { AllowAnswer, DeviceKind, DeviceLimits, Holds, Newcomer } from '#usher/domain';
import type { CheckContext, Verdict } from './check-context.js';
import type { Route } from './routes.js';
import { ASKED_AGAIN_AFTER } from './session-of.js';

/** A larger cap is none: so many devices of one user are not counted. As `maxDevices` in the configuration. */
export const MAX_CAP = 250;

export interface LimitingParts {
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
    if (newcomer === undefined) return undefined;
    const admission = this.parts.limits.admit(newcomer);
    // Only observed: nobody waits for it.
    if (this.parts.config.limits.mode !== 'enforce') return undefined;
    return (await admission) === 'over' ? refused(answer) : undefined;
  }

  /** Undefined where no cap applies. */
  private newcomer(context: CheckContext, answer: AllowAnswer): Newcomer | undefined {
    const { config, holds } = this.parts;
    const { user = '', backend: name } = answer;
    const backend = config.backends[name];
    if (config.limits.mode === 'off' || user === '' || backend === undefined) return undefined;
    const cap = this.capOf(context.route, backend, answer);
    if (cap === undefined) return undefined;
    const { check, identity, habit, previous } = context;
    const { viewerKey } = identity;
    const namespace = backend.namespace ?? name;
    // Who is held is refused for that, and who has a free pass has no cap.
    if (holds.ofUser(namespace, user, viewerKey) !== undefined) return undefined;
    const { edge, sessionId, channel, path } = check;
    return {
      edge,
      sessionId,
      namespace,
      user,
      viewerKey,
      habit,
      cap,
      channel: channel === '' ? path : channel,
      device: deviceOf(context, backend),
      asksAgainAfter: answer.authDuration === undefined ? ASKED_AGAIN_AFTER : answer.authDuration * 1000,
      isOpen: previous !== undefined,
    };
  }

  private capOf(route: Route, backend: BackendConfig, answer: AllowAnswer): number | undefined {
    const cap = capOfRoute(route, backend, this.parts.config.limits.fromHeaders);
    return cap === 'headers' ? capInHeaders(answer) : cap;
  }
}

/** How many; `headers`: as the answer says. */
function capOfRoute(
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
  const cap = maxSessions > 0 ? maxSessions : unique === true ? 1 : undefined;
  return cap === undefined || cap > MAX_CAP ? undefined : cap;
}

function deviceOf({ check, identity }: CheckContext, backend: BackendConfig): DeviceKind {
  if (viewerKeyOf(check, undefined) !== identity.viewerKey) return 'named';
  return backend.type === 'ministra' ? 'user' : 'guess';
}

function refused(answer: AllowAnswer): Verdict {
  const { backend, user, sessionName, tookMs } = answer;
  const decision = { allow: false, source: 'rule', reason: 'limit-reached' } as const;
  return {
    decision: { ...decision, backend, user, sessionName, tookMs },
    answer,
    until: 0,
    standIn: false,
  };
}
