import type { Check, Identity } from './check.js';
import type { Session } from './session.js';

/** What is asked again about a session before its time is up. */
export interface Renewal {
  readonly check: Check;
  readonly identity: Identity;
  /** The backend that allowed it. */
  readonly backend: string;
}

/** Keeps the questions of sessions that may be asked about again. */
export interface Renewals {
  /** Of an allow: nothing where its backend's credentials are good once, or its time never ends. Not waited for. */
  keep(check: Check, identity: Identity, session: Session): void;
  /** Another process keeps it: it is only remembered here, for a Redis that lost it. */
  hold?(check: Check, identity: Identity, session: Session): void;
}

/** Where nothing is asked again. */
export const NO_RENEWALS: Renewals = Object.freeze({ keep: () => undefined });
