import type { KeptCounts } from '#usher/decisions';
import type { MetricRow } from '#usher/observe';

const STANDINGS = [
  ['carried', 'carried'],
  ['known', 'known'],
  ['onTrust', 'on-trust'],
] as const;

/** Who was let in without a decision, as rows of METRICS.viewers: three columns for each backend, never summed. */
export function* viewersByStanding(
  counts: ReadonlyMap<string, Readonly<KeptCounts>>,
): Generator<MetricRow<'backend' | 'standing'>> {
  for (const [backend, standing] of counts) {
    if (backend === '') continue;
    for (const [count, name] of STANDINGS) {
      yield { value: standing[count], labels: { backend, standing: name } };
    }
  }
}
