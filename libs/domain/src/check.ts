/**
 * One question: may this viewer play this channel now?
 *
 * Strings that came over the wire are byte strings: one character per byte (latin1), exactly as `node:http` gives
 * them. So a query travels to the backend byte for byte, and a key encodes any bytes unambiguously.
 * `readable` (text.ts) turns one into text for people.
 */
export const DIALECT_NAMES = [
  'astra',
  'alta',
  'flussonic',
  'mediamtx',
  'forward',
  'srs',
  'ome',
  'nginx-rtmp',
] as const;
export type DialectName = (typeof DIALECT_NAMES)[number];

/** To play is what nearly all ask for; to publish (ingest) is answered by routes of its own, never by accident. */
export type Action = 'play' | 'publish';

/** How often an edge of this dialect asks about one session. */
export type AskingHabit = 'once' | 'again' | 'per-request';

/** What an edge told us (trusted) and what the viewer said (`query`, `userAgent`, `host`: never trusted as facts). */
export interface Check {
  /** X-Usher-Id: names this check in the answer, the logs and `why`. */
  readonly id: string;
  readonly dialect: DialectName;
  /** The asking edge's name, unique in the cluster. */
  readonly edge: string;
  /** The edge's session id, or the derived one where it gave none. */
  readonly sessionId: string;
  /** False when `sessionId` was derived by us. */
  readonly sessionGiven: boolean;
  readonly channel: string;
  readonly ip: string;
  readonly path: string;
  readonly userAgent: string;
  /** The viewer's Host (Astra), or the host of the viewer's origin (Alta). */
  readonly host: string;
  /** `scheme://host[:port]` (Alta only, else empty). */
  readonly origin: string;
  /** The viewer's raw query without the leading `?`, byte for byte. A secret: never logged, hashed in keys. */
  readonly query: string;
  /** Absent: play. */
  readonly action?: Action;
  /** The viewer's credential where his edge names it apart from the query (Flussonic's `token`, a Bearer). A secret. */
  readonly token?: string;
  /** The viewer's Authorization header, where the edge passes it on. A secret. */
  readonly authorization?: string;
  readonly referer?: string;
  /** What it is played by, in the edge's own word: hls, rtmp … */
  readonly protocol?: string;
  /** What was recorded is played, as the edge says (Flussonic's `dvr`). Absent: it is live, or the edge does not say. */
  readonly dvr?: boolean;
}

/** The check's parts that decide which backend is asked and whether answers are shared. See identity.ts. */
export interface Identity {
  /** Same question of the same viewer; 26 base32 characters. */
  readonly fingerprint: string;
  /** Who this probably is when the credential is new; 26 base32 characters. */
  readonly viewerKey: string;
}
