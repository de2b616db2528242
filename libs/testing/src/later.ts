import { eventually } from './eventually.js';

/** Resolves in another millisecond of this machine's clock: events of two streams are told apart by theirs. */
export async function later(): Promise<void> {
  const now = Date.now();
  await eventually(() => Date.now() > now, { everyMs: 1 });
}
