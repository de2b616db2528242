import { cut, maskedPath, readable, reasonSentence } from '#usher/domain';
import type { BackendAnswer, Check, Decision, Hold } from '#usher/domain';
import { maskQuery, maskText } from '#usher/observe';

/** Of the format in Redis; unknown fields of later versions are kept. */
const VERSION = 1;
const MAX_TEXT = 256;

/** One answer as it is remembered: text for people, no secrets. */
export interface WhyRecord {
  readonly version: number;
  /** X-Usher-Id of the check. */
  readonly id: string;
  /** Cluster time, ms. */
  readonly at: number;
  readonly edge: string;
  readonly dialect: string;
  readonly session: string;
  readonly channel: string;
  readonly ip: string;
  readonly userAgent: string;
  readonly path: string;
  /** Names of its parameters only: `token=***`. */
  readonly query: string;
  readonly allow: boolean;
  readonly source: string;
  readonly reason: string;
  /** `namespace/user`; none where nobody was named. */
  readonly user?: string;
  readonly backend?: string;
  /** The backend's own status and time, where it was asked. */
  readonly status?: number;
  readonly tookMs?: number;
  /** Whose fault it was that no decision could be had, why, and what happened. */
  readonly because?: string;
  readonly cause?: string;
  readonly detail?: string;
  /** The hold that decided: what it goes by, who set it and why, until when (cluster time, ms). No credential: its digest. */
  readonly hold?: Pick<Hold, 'kind' | 'subject' | 'by' | 'reason' | 'until'>;
}

/** An answer as it is read out: with the sentences to its codes, and how often the same session got it again. */
export interface WhyAnswer extends WhyRecord {
  readonly sentence: string;
  readonly causeSentence?: string;
  /** Further times that this process gave it to the same session, and the last of them, cluster time, ms. */
  readonly repeats: number;
  readonly lastAt: number;
}

/** What the ladder hands over. */
export interface AnswerGiven {
  readonly decision: Decision;
  /** What the backend said, where it was asked. */
  readonly answer?: BackendAnswer;
}

/**
 * What is asked about later, by who spoke. Each kind is bounded by itself, so that a flood of one pushes out no other:
 * `denied` by a backend; `refused` by Usher itself (a hold, a rule, a cap); `unavailable`: no decision could be had, and
 * something stood in for one, whether it let in or not.
 */
export const NOTABLE_KINDS = ['denied', 'refused', 'unavailable'] as const;
export type NotableKind = (typeof NOTABLE_KINDS)[number];

/** Undefined: a plain allow, by somebody who knows; nothing that anybody asks about later. */
export function notableKind({ allow, source, reason, because }: Decision): NotableKind | undefined {
  if (because !== undefined) return 'unavailable';
  switch (source) {
    case 'hold':
    case 'rule':
      return allow ? undefined : 'refused';
    case 'cache':
    case 'session':
    case 'backend':
    case 'direct':
      return allow && reason !== 'denial-stands' ? undefined : 'denied';
    case 'stale':
    case 'known':
    case 'fail-open':
    case 'fail-closed':
    case 'overload':
      return 'unavailable';
  }
}

export function whyRecord(check: Check, given: AnswerGiven, user: string | undefined, at: number): WhyRecord {
  const { decision, answer } = given;
  const unavailable = answer?.kind === 'unavailable' ? answer : undefined;
  return {
    version: VERSION,
    id: check.id,
    at,
    edge: check.edge,
    dialect: check.dialect,
    session: readable(check.sessionId),
    channel: readable(check.channel),
    ip: readable(check.ip),
    userAgent: text(check.userAgent),
    path: text(maskedPath(check.path)),
    query: cut(maskQuery(check.query), MAX_TEXT),
    allow: decision.allow,
    source: decision.source,
    reason: decision.reason,
    user: user === undefined ? undefined : readable(user),
    backend: decision.backend ?? answer?.backend,
    status: decision.status ?? answer?.status,
    tookMs: rounded(decision.tookMs ?? answer?.tookMs),
    because: decision.because,
    cause: unavailable?.reason,
    detail: unavailable === undefined ? undefined : cut(maskText(readable(unavailable.detail)), MAX_TEXT),
    hold: decision.hold && shown(decision.hold),
  };
}

/** Read back; undefined for what is no such record, as another version or a hand may have left it. */
export function parseRecord(json: unknown): WhyRecord | undefined {
  if (typeof json !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** With the sentences that support can read out. */
export function readOut(record: WhyRecord, repeats = 0, lastAt = record.at): WhyAnswer {
  const sentence = reasonSentence(record.reason);
  const { cause } = record;
  return cause === undefined || cause === record.reason
    ? { ...record, sentence, repeats, lastAt }
    : { ...record, sentence, causeSentence: reasonSentence(cause), repeats, lastAt };
}

function isRecord(value: unknown): value is WhyRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { id, at, reason, source, allow } = value as Partial<Record<keyof WhyRecord, unknown>>;
  return (
    typeof id === 'string' &&
    typeof at === 'number' &&
    typeof reason === 'string' &&
    typeof source === 'string' &&
    typeof allow === 'boolean'
  );
}

function shown({ kind, subject, by, reason, until }: Hold): WhyRecord['hold'] {
  return { kind, subject: cut(readable(subject), MAX_TEXT), by, reason, until };
}

/** The viewer's words, bounded: a hostile user agent must not fill the memory of everybody. */
function text(bytes: string): string {
  return cut(maskText(readable(bytes.slice(0, 2 * MAX_TEXT))), MAX_TEXT);
}

/** Tenths of a millisecond are enough. */
function rounded(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 10) / 10;
}
