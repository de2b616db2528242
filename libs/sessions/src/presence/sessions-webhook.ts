import type { Clock, Session } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { listSessions } from '../listing/list-sessions.js';
import type { RedisSessionRegistry } from '../registry/redis-session-registry.js';
import type { ListedSession } from './listed-session.js';
import { matchSessions } from './match-sessions.js';
import { readWebhookPayload } from './webhook-payload.js';

/** `unknown`: named by the edge, and none of ours. */
export interface WebhookResult {
  readonly closed: number;
  readonly unknown: number;
}

/** Astra's sessions webhook (Settings, General, Sessions Webhook; here `/e/<edge>/closed`): its sessions that ended. */
export class SessionsWebhook {
  constructor(
    private readonly redis: RedisClient,
    private readonly registry: RedisSessionRegistry,
    private readonly clock: Clock,
  ) {}

  /**
   * The edge says that sessions ended. `payload`: the body, as text or as parsed; garbage closes nothing. Idempotent:
   * a notice that comes twice finds nothing the second time. Rejects as Redis does.
   */
  async closed(edge: string, payload: unknown): Promise<WebhookResult> {
    let closed = 0;
    const named = readWebhookPayload(payload);
    for (const session of named) if (await this.#close(edge, session)) closed += 1;
    return { closed, unknown: named.length - closed };
  }

  async #close(edge: string, named: ListedSession): Promise<boolean> {
    const there =
      named.id === undefined ? undefined : await this.registry.read({ edge, sessionId: named.id });
    const session =
      this.#match(named, there === undefined ? [] : [there]) ??
      this.#match(named, await this.#candidates(edge, named));
    if (session === undefined) return false;
    return this.registry.close(session, 'closed-by-edge', { fingerprint: session.fingerprint });
  }

  #match(named: ListedSession, ours: readonly Session[]): Session | undefined {
    return matchSessions([named], ours, this.clock.now()).sessions[0];
  }

  /** Where the id tells nothing: the edge's sessions on that channel, of which one started when this one did. */
  async #candidates(edge: string, { channel, ip, uptime }: ListedSession): Promise<readonly Session[]> {
    if (channel === undefined || ip === undefined || uptime === undefined) return [];
    return (await listSessions(this.redis, this.registry, { edge, channel, limit: 500 })).sessions;
  }
}
