/** What controllers are given by these names; the rest by its class. */
export const CLOCK = Symbol('clock');
/** The process as a member of the cluster: `ControlNode`. */
export const NODE = Symbol('node');
/** Commands of the admin API: a connection apart, which is slower to give up than the hot path's. */
export const REDIS = Symbol('redis');
