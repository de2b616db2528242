import type { Presence, Session, SessionState, Source } from '#usher/domain';

/** One page looks at no more sessions: it may be short, even empty, with more to come. */
export const LOOK_PER_PAGE = 2_000;
/** For one command of a list, ms. */
export const LIST_PATIENCE = 2_000;

/** Which sessions; all that is given must hold. */
export interface SessionQuery {
  readonly user?: { readonly namespace: string; readonly user: string };
  readonly channel?: string;
  readonly edge?: string;
  /** The viewer's address, as its edge says it. No index knows it. */
  readonly ip?: string;
  readonly state?: SessionState;
  readonly source?: Source;
  readonly presence?: Presence;
  /** Sessions on a page, at most. 1 to 500; default 100. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}

/** `cursor` is missing on the last page. A page may be short, or empty, with more to come. */
export interface SessionPage {
  readonly sessions: readonly Session[];
  readonly cursor?: string;
}
