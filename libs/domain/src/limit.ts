import type { AskingHabit } from './check.js';
import type { SessionName } from './session.js';

/** `observe`: nobody is refused or cut, and it is told who would have been. */
export type LimitMode = 'off' | 'observe' | 'enforce';

/** Who goes when one device more than the cap comes. */
export type OverLimit =
  /** The newcomer is refused. */
  | 'deny-new'
  /** Whoever showed no sign of life for the longest is cut; the newcomer is let in. */
  | 'evict';

/** How a device is told from others: it named itself, its user is one device (Ministra), or by address and player. */
export type DeviceKind = 'named' | 'user' | 'guess';

/** A session that a backend allowed, and that no edge has been told of yet. Wire strings are byte strings. */
export interface Newcomer extends SessionName {
  /** Where the edge names no channel, its path. */
  readonly channel: string;
  readonly namespace: string;
  readonly user: string;
  readonly viewerKey: string;
  readonly device: DeviceKind;
  readonly habit: AskingHabit;
  /** Of an edge that asks again: after so long, ms. */
  readonly asksAgainAfter?: number;
  /** So many devices of this user may watch at once. */
  readonly cap: number;
  /** It was allowed earlier: counted, and never refused. */
  readonly isOpen: boolean;
  /** He was let in before the answer came: counted, and soon again; who is too many then is evicted. */
  readonly isLate?: boolean;
}

/** Caps on devices per user, over all edges and gateways. */
export interface DeviceLimits {
  /**
   * Takes a place for the newcomer; `over`: there is none. Never rejects: while Redis is away or late everybody is
   * admitted. One round trip.
   */
  admit(newcomer: Newcomer): Promise<'admitted' | 'over'>;
}
