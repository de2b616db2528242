import type { EdgeAnswer } from './dialect.js';

/** An answer that is read out of its body: the status says only that there is one. */
export function jsonAnswer(value: unknown): EdgeAnswer {
  return { status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(value) };
}
