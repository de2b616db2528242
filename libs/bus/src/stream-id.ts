export const START = '0-0';

/** Below zero where `a` is the older id, above where it is the newer. */
export function compareIds(a: string, b: string): number {
  const [aMs, aSeq] = a.split('-').map(Number);
  const [bMs, bSeq] = b.split('-').map(Number);
  return aMs! - bMs! || aSeq! - bSeq!;
}

/** When Redis added the entry, ms of its clock. */
export const msOf = (id: Buffer): number => Number.parseInt(id.toString('latin1'), 10);
