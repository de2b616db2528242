/** How it ended that an edge was told to cut a session. */
export type CutResult =
  /** The edge ended it. */
  | { readonly kind: 'cut' }
  /** The edge does not know it any more. */
  | { readonly kind: 'gone' }
  /** This edge cannot be told to cut: nothing is configured, or nothing known that it would obey. */
  | { readonly kind: 'cannot'; readonly detail: string }
  /** For people, without credentials. `retry`: it may go better later. */
  | { readonly kind: 'failed'; readonly detail: string; readonly retry: boolean };

export const CUT: CutResult = { kind: 'cut' };
export const GONE: CutResult = { kind: 'gone' };

/** It may go better later. */
export function failedForNow(detail: string): CutResult {
  return { kind: 'failed', detail, retry: true };
}

/** It goes no better before somebody changes something. */
export function failedForGood(detail: string): CutResult {
  return { kind: 'failed', detail, retry: false };
}
