/** Calls of one page at an edge, side by side. */
const AT_ONCE = 2;
/** After this no further call of a page is begun, ms: an edge that hangs keeps no page for longer. */
const WITHIN = 10_000;

/** What is done for each of a page, in its order. Undefined for what was not come to: the page took longer than `within`, ms. */
export async function oneByOne<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
  within = WITHIN,
): Promise<(Result | undefined)[]> {
  const results = Array.from(items, (): Result | undefined => undefined);
  const late = AbortSignal.timeout(within);
  let next = 0;
  const goOn = async (): Promise<void> => {
    while (next < items.length && !late.aborted) {
      const at = next;
      next += 1;
      results[at] = await work(items[at]!);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, goOn));
  return results;
}
