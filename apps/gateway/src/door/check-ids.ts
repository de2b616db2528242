import type { Random } from '#usher/domain';

/** X-Usher-Id: short, unique in the cluster, cheap: a random word of this process and a counter. */
export function checkIds(random: Random): () => string {
  const word = Math.floor(random() * 36 ** 6)
    .toString(36)
    .padStart(6, '0');
  let count = 0;
  return () => `${word}-${(count++).toString(36)}`;
}
