import { cut, readable } from '#usher/domain';
import type { Session, Source } from '#usher/domain';

/** What a viewer was let in on while nobody could be asked. Never summed: only `onTrust` are free. */
export type Column = 'carried' | 'known' | 'onTrust';

export const COLUMNS: readonly Column[] = ['carried', 'known', 'onTrust'];

/** Whose fault an outage is. */
export type OutageFault = 'backend' | 'us';

/**
 * What became of a session afterwards. `kept`: the backend allowed it; `cut`: it refused, and the session ended;
 * `denied`: it refused, and the session was left alone; `recycled`: it was cut so that its viewer is asked about anew, and
 * he has not come back; `came-back`: he has, and the backend allowed him; `refused`: it refused him then; `gone`: it had ended meanwhile; `not-checkable`: nobody can ask
 * about it again; `not-checked`: nobody did.
 */
export type OutageResult =
  'kept' | 'cut' | 'denied' | 'recycled' | 'came-back' | 'refused' | 'gone' | 'not-checkable' | 'not-checked';

export const RESULTS: readonly OutageResult[] = [
  'kept',
  'cut',
  'denied',
  'recycled',
  'came-back',
  'refused',
  'gone',
  'not-checkable',
  'not-checked',
];

const SOURCES: Readonly<Partial<Record<Source, Column>>> = {
  stale: 'carried',
  known: 'known',
  'fail-open': 'onTrust',
  overload: 'onTrust',
};

/** The column of an allow that stood in for a decision; undefined for a decision. */
export function columnOfSource(source: Source): Column | undefined {
  return SOURCES[source];
}

/** Who it is: text for people, no secrets. */
export interface LineFacts {
  readonly edge: string;
  readonly session: string;
  /** `namespace/user`; empty where nobody is named. */
  readonly user: string;
  readonly viewer: string;
  readonly channel: string;
  readonly ip: string;
}

/** Where a line stands. Instants are cluster time, ms; 0: none. */
export interface LineState {
  /** When the session was let in first. */
  readonly from: number;
  /** Since when it plays; 0: it ended, or was decided. */
  readonly since: number;
  /** When it last ended. */
  readonly until: number;
  /** How long it played before `since`, ms. */
  readonly ms: number;
  readonly result: OutageResult | '';
  readonly resultAt: number;
}

/** A line as it stands in Redis. */
export interface OutageLine extends LineState, LineFacts {
  readonly field: string;
  /** The process that wrote it. */
  readonly node: string;
  /** Its time rests on an assumption: nobody would have told us of its end. */
  readonly estimated: boolean;
}

const MAX_TEXT = 128;

export function lineFacts(session: Session): LineFacts {
  const { edge, sessionId, namespace, user, viewerKey, channel, ip } = session;
  return {
    edge,
    session: text(sessionId),
    user: user === '' ? '' : text(`${namespace}/${user}`),
    viewer: viewerKey,
    channel: text(channel),
    ip: text(ip),
  };
}

/** Undefined for what this version cannot read. */
export function readLine(field: string, value: string): OutageLine | undefined {
  // node|from|since|until|ms|base|result|resultAt|estimated|JSON, as write-ledger-4.lua writes it.
  const parts = value.split('|');
  const [node = '', from, since, until, ms, base, result = '', resultAt, estimated] = parts;
  const times = [from, since, until, ms, base, resultAt].map(Number);
  if (parts.length < 10 || !times.every(Number.isFinite)) return undefined;
  try {
    const facts = JSON.parse(parts.slice(9).join('|')) as LineFacts;
    return {
      ...facts,
      field,
      node,
      from: times[0]!,
      since: times[1]!,
      until: times[2]!,
      ms: times[3]! + times[4]!,
      result: result as OutageResult | '',
      resultAt: times[5]!,
      estimated: estimated === '1',
    };
  } catch {
    return undefined;
  }
}

/** How long it played until then (the outage's end, or now), ms. */
export function playedUntil({ since, ms }: Pick<LineState, 'since' | 'ms'>, until: number): number {
  return ms + (since === 0 ? 0 : Math.max(0, until - since));
}

function text(bytes: string): string {
  return cut(readable(bytes), MAX_TEXT);
}
