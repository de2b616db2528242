import type { Check } from './check.js';

/** What a hold goes by. The first six are known before anybody is asked, the last two once the user is named. */
export type HoldKind =
  'credential' | 'viewer' | 'address' | 'network' | 'agent' | 'channel' | 'user-viewer' | 'user';

/** Why there is a hold: set by a person, or left behind by a kick, an eviction or a protection. */
export type HoldOrigin = 'hand' | 'kick' | 'eviction' | 'protection';

/** A refusal, or a free pass, until a time. Instants are cluster time, ms. */
export interface Hold {
  readonly kind: HoldKind;
  /**
   * Of its kind: `credentialKeyOf`, a viewer key, an address, a network (`10.0.0.0/8`), a user agent (`*` stands for
   * anything), a channel, `namespace/user`, or `namespace/user/viewer key`.
   */
  readonly subject: string;
  readonly effect: 'refuse' | 'pass';
  readonly since: number;
  readonly until: number;
  readonly origin: HoldOrigin;
  /** Who set it. */
  readonly by: string;
  /** For people: why. */
  readonly reason: string;
}

/** What a check shows of itself before anybody is asked. */
export interface HeldFacts extends Pick<Check, 'ip' | 'channel' | 'userAgent'> {
  readonly viewerKey: string;
  /** A secret: looked up by its digest, and only where there are holds on credentials. */
  readonly credential: string;
}

/**
 * The cluster's holds as this process knows them. Both lookups are answered from memory. Holds of the origins in `but` are
 * looked past: a wider one behind them may count.
 */
export interface Holds {
  /** Another number after each change: what was decided before is looked at again. */
  readonly version: number;
  /** The hold that counts for a check; of several the one on the narrowest subject. */
  before(facts: HeldFacts, but?: ReadonlySet<HoldOrigin>): Hold | undefined;
  /** The hold that counts once the user is named. */
  ofUser(namespace: string, user: string, viewerKey: string, but?: ReadonlySet<HoldOrigin>): Hold | undefined;
}

/** Where nobody is held. */
export const NO_HOLDS: Holds = Object.freeze({
  version: 0,
  before: () => undefined,
  ofUser: () => undefined,
});
