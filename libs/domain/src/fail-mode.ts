/** What happens to a check when its backend cannot be asked and neither `stale` nor `known` helps. */
export type FailMode =
  /** Let in on trust, as Astra does by itself. */
  | { readonly kind: 'open' }
  /** Only the rungs stale and known; else `then`. */
  | { readonly kind: 'stale'; readonly then: 'open' | 'closed' }
  /** Only stale; else refused. */
  | { readonly kind: 'closed' };

/** What happens when it is our own fault (bulkhead, pacing, queue, Redis, bus): an overload is no outage. */
export type OverloadPolicy = 'as-fail-mode' | 'deny';

/** `usher`: answers as decided. `observe`: the backend's own answer goes to the edge unchanged, all is recorded. */
export type Mode = 'enforce' | 'observe';
