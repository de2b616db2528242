/** Hash: how far a shard's events were read. */
export function heardKey(shard: string): string {
  return `usher:heard:{${shard}}`;
}

/** Sorted set: the living sessions of a shard by the event that opened them. */
export function openingsKey(shard: string): string {
  return `usher:openings:{${shard}}`;
}

/** String: this event was told; it is told once. */
export function toldKey(shard: string, mark: string): string {
  return `usher:told:{${shard}}:${mark}`;
}
