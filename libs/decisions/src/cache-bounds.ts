/** What an entry may hold of a viewer's words on the average, bytes. Usual ones hold a quarter of it. */
const WORDS_PER_ENTRY = 1024;

/**
 * Bounds a cache in entries, and in the viewers' words that they hold: 200,000 hostile requests of 16 KiB each would
 * fill the memory of a gateway. `words` says how many characters an entry holds.
 */
export function cacheBounds<Value>(entries: number, words: (value: Value, key: string) => number) {
  return {
    max: entries,
    maxSize: entries * WORDS_PER_ENTRY,
    sizeCalculation: (value: Value, key: string): number => Math.max(1, words(value, key)),
  };
}
