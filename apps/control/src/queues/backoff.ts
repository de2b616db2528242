/** `first`, twice that after the second failure, and so on up to `most`. */
export function doubled(attempt: number, first: number, most: number): number {
  return Math.min(most, first * 2 ** Math.min(attempt - 1, 30));
}
