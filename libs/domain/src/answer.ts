import type { ReasonCode } from './reason.js';

/** Whose fault it is that no decision could be had. */
export type Because = 'backend' | 'us';

/** An address to show instead of the channel, and the header in which the backend gave it. */
export interface Redirect {
  readonly header: 'Location' | 'X-Location';
  readonly address: string;
}

/** The backend lets this viewer in. */
export interface AllowAnswer {
  readonly kind: 'allow';
  readonly backend: string;
  readonly reason: ReasonCode;
  /** Whom the backend names: `X-UserId`, else `X-Session-Name`. */
  readonly user?: string;
  /** To show: `X-Session-Name`, else `X-UserId`. */
  readonly sessionName?: string;
  /** X-AuthDuration in seconds, where the backend gave it. */
  readonly authDuration?: number;
  /** Cluster time, ms: the right to watch ends then, whatever else is said. */
  readonly until?: number;
  readonly maxSessions?: number;
  readonly unique?: boolean;
  /** An allow may carry an address as well: passed on. */
  readonly redirect?: Redirect;
  readonly status: number;
  /** How long the backend took, ms. */
  readonly tookMs: number;
}

/** The backend refuses this viewer. A value, never an exception. */
export interface DenyAnswer {
  readonly kind: 'deny';
  readonly backend: string;
  readonly reason: ReasonCode;
  /** The backend's own status (401, 403, 302 …): edges of Cesbo's get it as it is. */
  readonly status: number;
  readonly redirect?: Redirect;
  readonly tookMs: number;
  /** A group's denial that does not hold for viewers known at one of these members, which could not be asked. */
  readonly unlessKnownAt?: readonly string[];
}

/** No decision could be had. It is no decision: never cached as one, never shown to a breaker unless `backend`. */
export interface UnavailableAnswer {
  readonly kind: 'unavailable';
  readonly backend: string;
  readonly because: Because;
  readonly reason: ReasonCode;
  /** For people: what happened, without secrets. */
  readonly detail: string;
  readonly status?: number;
  readonly tookMs: number;
}

export type BackendAnswer = AllowAnswer | DenyAnswer | UnavailableAnswer;
