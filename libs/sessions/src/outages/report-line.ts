import { playedUntil, type Column, type OutageLine } from './outage-line.js';

/** One session of an outage, as operators read it. Instants are cluster time, ms. */
export interface ReportLine {
  readonly column: Column;
  readonly edge: string;
  readonly session: string;
  /** `namespace/user`; empty where nobody is named. */
  readonly user: string;
  /** The viewer key. */
  readonly viewer: string;
  readonly channel: string;
  readonly ip: string;
  readonly from: number;
  /** Until it ended, was decided, or the outage was over; undefined: it plays on. */
  readonly until: number | undefined;
  readonly viewerMinutes: number;
  /** Its time rests on an assumption. */
  readonly estimated: boolean;
  /** Empty where that is not known yet. */
  readonly result: OutageLine['result'];
  readonly resultAt: number | undefined;
}

/** `end`: the outage's, undefined while it lasts. */
export function reportLine(
  line: OutageLine,
  column: Column,
  end: number | undefined,
  now: number,
): ReportLine {
  const { edge, session, user, viewer, channel, ip, from, since, until, result, resultAt, estimated } = line;
  return {
    column,
    edge,
    session,
    user,
    viewer,
    channel,
    ip,
    from,
    until: since === 0 ? until || undefined : end,
    viewerMinutes: minutes(playedUntil(line, end ?? now)),
    estimated,
    result,
    resultAt: resultAt || undefined,
  };
}

/** Names of the columns of the CSV file. */
export const CSV_HEAD = csvLine([
  'column',
  'edge',
  'session',
  'user',
  'viewer',
  'channel',
  'ip',
  'from',
  'until',
  'minutes',
  'estimated',
  'result',
  'resultAt',
]);

/** A line of CSV (RFC 4180); who plays on has played until `now`. */
export function csvOf(line: ReportLine, now: number): string {
  const { column, edge, session, user, viewer, channel, ip, from, until, result, resultAt } = line;
  return csvLine([
    column === 'onTrust' ? 'on trust' : column,
    edge,
    session,
    user,
    viewer,
    channel,
    ip,
    time(from),
    time(until ?? now),
    String(line.viewerMinutes),
    line.estimated ? 'yes' : 'no',
    result,
    time(resultAt),
  ]);
}

function csvLine(fields: readonly string[]): string {
  return `${fields.map(csvField).join(',')}\r\n`;
}

/** What a viewer wrote must not become a formula in the spreadsheet that opens it. */
function csvField(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

function time(ms: number | undefined): string {
  return ms === undefined || ms === 0 ? '' : new Date(ms).toISOString();
}

/** Hundredths of a minute. */
export function minutes(ms: number): number {
  return Math.round(ms / 600) / 100;
}
