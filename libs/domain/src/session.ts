import type { Source } from './decision.js';

/** How we know that a session lives: it asks, its edge lists it, or neither. */
export type Presence = 'seen' | 'listed' | 'assumed';

/** `active`: allowed; `on-trust`: let in without a decision; `unconfirmed`: its time is up, it lives, nobody can be asked. */
export type SessionState = 'active' | 'on-trust' | 'unconfirmed' | 'revoked';

/** Why a session ended. */
export type CloseReason =
  | 'idle'
  | 'expired'
  | 'replaced'
  | 'evicted'
  | 'kicked'
  | 'closed-by-edge'
  | 'edge-restarted'
  | 'denied-on-recheck'
  /** Its edge ended it on our word, so that its player comes back and is asked about. */
  | 'recycled';

/** One viewer on one channel through one edge. Instants are cluster time, ms. Wire strings are byte strings. */
export interface Session {
  readonly edge: string;
  readonly sessionId: string;
  readonly fingerprint: string;
  readonly viewerKey: string;
  readonly channel: string;
  readonly ip: string;
  readonly userAgent: string;
  readonly host: string;
  readonly path: string;
  /** As the edge calls it (hls, rtsp …), where it tells. */
  readonly protocol?: string | undefined;
  readonly dialect: string;
  readonly backend: string;
  /** `namespace/user` shares users between backends; by default the backend's own name. */
  readonly namespace: string;
  /** Whom the backend names; empty where it names nobody. */
  readonly user: string;
  /** What is shown: X-Session-Name, else the user. */
  readonly sessionName: string;
  readonly state: SessionState;
  readonly source: Source;
  readonly presence: Presence;
  readonly openedAt: number;
  /** 0 = as long as the session lives. */
  readonly authorizedUntil: number;
  /** When it is taken for dead without a further sign of life. */
  readonly aliveUntil: number;
}

/** What names a session in the cluster. */
export interface SessionName {
  readonly edge: string;
  readonly sessionId: string;
}
