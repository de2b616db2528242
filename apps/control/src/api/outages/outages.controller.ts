import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, StreamableFile } from '@nestjs/common';
import { z } from 'zod';
import { OutageReports } from '#usher/sessions';
import type { ControlNode } from '../../control-node.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { limit, short } from '../endpoint/fields.js';
import { NODE } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';
import {
  COLUMNS,
  LINE_EXAMPLE,
  lineOf,
  lineView,
  OUTAGE_EXAMPLE,
  outageView,
  REPORT_EXAMPLE,
  reportOf,
  reportView,
  RESULTS,
  viewOf,
} from './outage-view.js';

/** Of a file, sent at once, characters. */
const PIECE = 32_768;

const cursor = z
  .string()
  .max(128, 'not one that a list gave out')
  .optional()
  .describe('`cursor` of the page before.');
const nextCursor = z.string().optional().describe('Of the next page; missing on the last one.');

const query = z.strictObject({
  backend: short.optional(),
  state: z.enum(['running', 'ended']).optional(),
  limit: limit(200),
  cursor,
});
const page = z.strictObject({
  outages: z.array(outageView).describe('The newest first.'),
  cursor: nextCursor,
});

const names = z.strictObject({ id: short.describe('As the list gives it.') });
const viewersQuery = z.strictObject({
  column: z.enum(COLUMNS).optional(),
  result: z.enum(RESULTS).optional(),
  limit: limit(500),
  cursor,
});
const viewers = z.strictObject({
  viewers: z.array(lineView).describe('In no order.'),
  cursor: nextCursor,
});

const CSV_EXAMPLE = `column,edge,session,user,viewer,channel,ip,from,until,minutes,estimated,result,resultAt\r
on trust,astra-1,42,,nbswy3dpo53xo4tmnbswy3dpo5,a001,192.0.2.7,2026-01-01T00:05:00.000Z,2026-01-01T00:40:00.000Z,35,no,cut,2026-01-01T00:40:10.000Z\r
`;

/** Who was let in while a backend could not be asked, and what became of them. */
@Controller('outages')
export class OutagesController {
  constructor(
    @Inject(OutageReports) private readonly reports: OutageReports,
    @Inject(NODE) private readonly node: Pick<ControlNode, 'config'>,
  ) {}

  @Get()
  @Endpoint({
    summary: 'Outages of backends',
    description:
      'The last 100 of each backend, for 30 days; of one that is no longer configured too. A page may be short, or empty, with more to come: go on while there is a cursor.',
    query,
    answer: page,
    example: { outages: [OUTAGE_EXAMPLE], cursor: 'portal~1767225600000' },
    problems: ['redis-away'],
  })
  async list(@Query() given: z.output<typeof query>): Promise<z.input<typeof page>> {
    const { backend, state, ...rest } = given;
    const all = await this.reports.backends(Object.keys(this.node.config.backends));
    if (backend !== undefined && !all.includes(backend)) throw noBackend(all);
    const backends = backend === undefined ? all : [backend];
    const running = state === undefined ? undefined : state === 'running';
    const found = await this.reports.page({ backends, running, ...rest });
    return { outages: found.outages.map(viewOf), cursor: found.cursor };
  }

  @Get(':id')
  @Endpoint({
    summary: 'The report of an outage',
    description:
      'What was lent, in three columns, and what became of it. While it lasts it counts up to now. It reads every line: ask for it, not for it each second.',
    params: names,
    answer: reportView,
    example: REPORT_EXAMPLE,
    problems: ['not-found', 'redis-away'],
  })
  async report(@Param() { id }: z.output<typeof names>): Promise<z.input<typeof reportView>> {
    const report = await this.reports.report(id);
    if (report === undefined) throw notFound();
    return reportOf(report);
  }

  @Get(':id/viewers')
  @Endpoint({
    summary: 'Who was let in during an outage',
    description:
      'About `limit` on a page; one may stand on two pages. A page may be short, or empty, with more to come: go on while there is a cursor.',
    params: names,
    query: viewersQuery,
    answer: viewers,
    example: { viewers: [LINE_EXAMPLE], cursor: '1536' },
    problems: ['not-found', 'redis-away'],
  })
  async viewers(
    @Param() { id }: z.output<typeof names>,
    @Query() given: z.output<typeof viewersQuery>,
  ): Promise<z.input<typeof viewers>> {
    const found = await this.reports.lines(id, given);
    if (found === undefined) throw notFound();
    return { viewers: found.lines.map(lineOf), cursor: found.cursor };
  }

  @Get(':id/csv')
  @Endpoint({
    summary: 'The same as a file',
    description:
      'CSV (RFC 4180) for a spreadsheet, all columns and lines. A file that does not end as its connection says is not whole: Redis went away meanwhile.',
    params: names,
    type: 'text/csv',
    answer: z.string(),
    example: CSV_EXAMPLE,
    problems: ['not-found', 'redis-away'],
  })
  async csv(@Param() { id }: z.output<typeof names>): Promise<StreamableFile> {
    const lines = await this.reports.csv(id);
    if (lines === undefined) throw notFound();
    // The id is one of ours by now: letters, digits, and nothing that a header would mind.
    return new StreamableFile(Readable.from(inPieces(lines), { objectMode: false }), {
      type: 'text/csv; charset=utf-8; header=present',
      disposition: `attachment; filename="outage-${id}.csv"`,
    });
  }
}

/** Lines together, so that they are not sent one by one. */
async function* inPieces(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let piece = '';
  for await (const line of lines) {
    piece += line;
    if (piece.length < PIECE) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function notFound(): Problem {
  return new Problem('not-found', 'There is no such outage, or it is no longer kept.');
}

function noBackend(all: readonly string[]): Problem {
  const says = `one of ${all.join(', ')}`;
  return new Problem('bad-parameter', `backend: ${says}.`, { errors: [{ parameter: 'backend', says }] });
}
