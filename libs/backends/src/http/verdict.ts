import type { AllowAnswer, Because, ReasonCode } from '#usher/domain';

/** What an answer means, before the facts in its headers are read. */
export type Verdict =
  /** `facts`: where they do not stand in the answer's headers. */
  | { readonly kind: 'allow'; readonly facts?: AllowFacts }
  /** `status` is what edges of Cesbo's are told: never a 2xx. */
  | { readonly kind: 'deny'; readonly status: number }
  | Unavailable;

/** What an allow says besides. */
export type AllowFacts = Pick<
  AllowAnswer,
  'user' | 'sessionName' | 'authDuration' | 'until' | 'maxSessions' | 'unique'
>;

export interface Unavailable {
  readonly kind: 'unavailable';
  readonly because: Because;
  readonly reason: ReasonCode;
  /** For people, without secrets: never a query, never a body. */
  readonly detail: string;
}

export const ALLOW: Verdict = { kind: 'allow' };

export function deny(status: number): Verdict {
  return { kind: 'deny', status };
}

/** The backend's fault: counts against it. */
export function failed(reason: ReasonCode, detail: string): Unavailable {
  return { kind: 'unavailable', because: 'backend', reason, detail };
}

/** Our own fault, or a busy backend's wish: no vote against the backend. */
export function notNow(reason: ReasonCode, detail: string): Unavailable {
  return { kind: 'unavailable', because: 'us', reason, detail };
}
