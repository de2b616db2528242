import { z } from 'zod';
import type { Column, OutageReport, OutageResult, OutageSummary, ReportLine } from '#usher/sessions';
import { instantText, timeText } from '../endpoint/fields.js';

export const COLUMNS = ['carried', 'known', 'onTrust'] as const satisfies readonly Column[];
export const RESULTS = [
  'kept',
  'cut',
  'denied',
  'recycled',
  'came-back',
  'refused',
  'gone',
  'not-checkable',
  'not-checked',
] as const satisfies readonly OutageResult[];

/** One shape for each column: they are never summed. */
const eachColumn = <T extends z.ZodType>(column: T) =>
  z
    .strictObject({
      carried: column.describe('This very session or credential was allowed, and went on: not free.'),
      known: column.describe(
        'A new credential of a viewer whom this backend had allowed: probably not free.',
      ),
      onTrust: column.describe('Nobody knew him: free, until shown otherwise.'),
    })
    .describe('Three columns, not to be summed.');

const minutes = z
  .number()
  .describe('From being let in until the session ended or was decided, or the outage was over.');
const counted = { sessions: z.int().describe('Let in, each once.'), viewerMinutes: minutes };

const summary = {
  id: z.string(),
  backend: z.string(),
  fault: z.enum(['backend', 'us']).describe('us: the backend was well, and Usher could not ask it in time.'),
  says: z.string().describe('The same in a sentence.'),
  start: instantText,
  end: instantText.nullable().describe('null: it lasts.'),
  settledAt: instantText
    .nullable()
    .describe('When it was found out what became of everybody; null: not yet.'),
  suspended: z.boolean().describe('A breaker saw it: the backend was suspended.'),
  refusals: z.int().describe('Answers, not viewers, that refused because nobody could be asked.'),
  incomplete: z
    .array(z.strictObject({ node: z.string(), from: instantText, to: instantText }))
    .describe(
      'Processes that died with something unsaid: what they counted between the two times is not here.',
    ),
  trustEnded: z
    .strictObject({ at: instantText, limit: z.enum(['maxOutage', 'failOpenBudget']) })
    .nullable()
    .describe(
      'Since when newcomers were not let in on trust any more, or were beyond the budget; null: never.',
    ),
};

/** An outage in short, as it is sent. */
export const outageView = z.strictObject({ ...summary, columns: eachColumn(z.strictObject(counted)) });
export type OutageView = z.output<typeof outageView>;

/** An outage in full, as it is sent. */
export const reportView = z.strictObject({
  ...summary,
  columns: eachColumn(
    z.strictObject({
      ...counted,
      viewers: z.int().describe('Different ones among those with a line: by user, else by viewer key.'),
      estimated: z
        .strictObject(counted)
        .describe(
          'The part that rests on an assumption: nobody would have told of their ends. Only of lines.',
        ),
      results: z
        .partialRecord(z.enum(RESULTS), z.int())
        .describe('What became of those with a line; of whom nothing is known yet is not here.'),
    }),
  ),
  lines: z.int().describe('Sessions with a line of their own; see viewers.'),
  withoutLine: z.int().describe('Sessions that were counted without a line.'),
  uncounted: z.int().describe('Sessions that a process had no room to count: the totals are at least this.'),
  cutStopped: z.string().nullable().describe('Why asking again and cutting was given up; null: it was not.'),
});
export type ReportView = z.output<typeof reportView>;

/** A session of an outage, as it is sent. */
export const lineView = z.strictObject({
  column: z.enum(COLUMNS),
  edge: z.string(),
  session: z.string(),
  namespace: z.string().nullable(),
  user: z.string().nullable().describe('null: nobody was named.'),
  viewer: z.string().describe('The viewer key.'),
  channel: z.string(),
  address: z.string(),
  from: instantText,
  until: instantText.nullable().describe('null: it plays, and the outage lasts.'),
  viewerMinutes: minutes,
  estimated: z.boolean().describe('Its time rests on an assumption.'),
  result: z.enum(RESULTS).nullable().describe('null: not known yet.'),
  resultAt: instantText.nullable(),
});
export type LineView = z.output<typeof lineView>;

export function viewOf(outage: OutageSummary): OutageView {
  const { carried, known, onTrust } = outage.columns;
  return { ...summaryOf(outage), columns: { carried, known, onTrust } };
}

export function reportOf(report: OutageReport): ReportView {
  const { columns, viewers, estimated, results, lines, withoutLine, uncounted, cutStopped } = report;
  const of = (column: Column) => ({
    ...columns[column],
    viewers: viewers[column],
    estimated: estimated[column],
    results: results[column],
  });
  return {
    ...summaryOf(report),
    columns: { carried: of('carried'), known: of('known'), onTrust: of('onTrust') },
    lines,
    withoutLine,
    uncounted,
    cutStopped: cutStopped ?? null,
  };
}

export function lineOf(line: ReportLine): LineView {
  const { column, edge, session, viewer, channel, ip, from, viewerMinutes, estimated, result } = line;
  const [namespace, user] = line.user === '' ? [null, null] : parted(line.user);
  return {
    column,
    edge,
    session,
    namespace,
    user,
    viewer,
    channel,
    address: ip,
    from: timeText(from),
    until: timeOrNull(line.until),
    viewerMinutes,
    estimated,
    result: result || null,
    resultAt: timeOrNull(line.resultAt),
  };
}

function summaryOf(outage: OutageSummary) {
  const { id, backend, fault, start, end, settledAt, suspended, refusals, incomplete, trustEnded } = outage;
  return {
    id,
    backend,
    fault,
    says: sentenceOf(outage),
    start: timeText(start),
    end: timeOrNull(end),
    settledAt: timeOrNull(settledAt),
    suspended,
    refusals,
    incomplete: incomplete.map(({ node, from, to }) => ({ node, from: timeText(from), to: timeText(to) })),
    trustEnded: trustEnded === undefined ? null : { at: timeText(trustEnded.at), limit: trustEnded.limit },
  };
}

function sentenceOf({ fault, suspended }: OutageSummary): string {
  if (fault === 'us') return 'The backend was well; Usher could not ask it in time.';
  return suspended
    ? 'The backend failed, and was suspended.'
    : 'Calls to the backend failed, too few to suspend it.';
}

/** `namespace/user`; a namespace holds no slash. */
function parted(name: string): [namespace: string, user: string] {
  const slash = name.indexOf('/');
  return [name.slice(0, slash), name.slice(slash + 1)];
}

function timeOrNull(ms: number | undefined): string | null {
  return ms === undefined ? null : timeText(ms);
}

const SUMMARY_EXAMPLE = {
  id: 'portal~1767225600000',
  backend: 'portal',
  fault: 'backend' as const,
  says: 'The backend failed, and was suspended.',
  start: '2026-01-01T00:00:00.000Z',
  end: '2026-01-01T00:40:00.000Z',
  settledAt: '2026-01-01T00:40:12.000Z',
  suspended: true,
  refusals: 0,
  incomplete: [{ node: 'gateway-2', from: '2026-01-01T00:10:03.000Z', to: '2026-01-01T00:10:09.000Z' }],
  trustEnded: null,
};

export const OUTAGE_EXAMPLE: OutageView = {
  ...SUMMARY_EXAMPLE,
  columns: {
    carried: { sessions: 1_840, viewerMinutes: 51_300.5 },
    known: { sessions: 212, viewerMinutes: 4_021.2 },
    onTrust: { sessions: 9, viewerMinutes: 96.75 },
  },
};

const NO_ESTIMATE = { sessions: 0, viewerMinutes: 0 };

export const REPORT_EXAMPLE: ReportView = {
  ...SUMMARY_EXAMPLE,
  columns: {
    carried: {
      sessions: 1_840,
      viewerMinutes: 51_300.5,
      viewers: 1_790,
      estimated: NO_ESTIMATE,
      results: { gone: 1_205, 'not-checked': 635 },
    },
    known: {
      sessions: 212,
      viewerMinutes: 4_021.2,
      viewers: 180,
      estimated: NO_ESTIMATE,
      results: { kept: 150, gone: 62 },
    },
    onTrust: {
      sessions: 9,
      viewerMinutes: 96.75,
      viewers: 9,
      estimated: { sessions: 2, viewerMinutes: 31.5 },
      results: { kept: 5, cut: 3, gone: 1 },
    },
  },
  lines: 2_061,
  withoutLine: 0,
  uncounted: 0,
  cutStopped: null,
};

export const LINE_EXAMPLE: LineView = {
  column: 'onTrust',
  edge: 'astra-1',
  session: '42',
  namespace: null,
  user: null,
  viewer: 'nbswy3dpo53xo4tmnbswy3dpo5',
  channel: 'a001',
  address: '192.0.2.7',
  from: '2026-01-01T00:05:00.000Z',
  until: '2026-01-01T00:40:00.000Z',
  viewerMinutes: 35,
  estimated: false,
  result: 'cut',
  resultAt: '2026-01-01T00:40:10.000Z',
};
