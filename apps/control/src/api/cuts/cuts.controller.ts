import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import { GivenUpCuts, type GivenUpCut } from '#usher/sessions';
import { Endpoint } from '../endpoint/endpoint.js';
import { instantText, limit, short, timeText } from '../endpoint/fields.js';

/** About so many are kept. */
const KEPT = 1_000;

const query = z.strictObject({
  edge: short.optional(),
  outcome: z.enum(['given-up', 'cannot']).optional(),
  limit: limit(KEPT),
});
const answer = z.strictObject({
  cuts: z
    .array(
      z.strictObject({
        at: instantText,
        edge: z.string(),
        session: z.string(),
        outcome: z
          .enum(['given-up', 'cannot'])
          .describe('given-up: it was told in vain, or too many were to be cut. cannot: it cannot be told.'),
        reason: z.string().describe('Why it was to be cut.'),
        why: z.string().describe('Why it was not.'),
      }),
    )
    .describe('The newest first.'),
  total: z.int().describe('That match; `limit` of them are here.'),
});

/** Sessions that edges were told to cut. */
@Controller('cuts')
export class CutsController {
  constructor(@Inject(GivenUpCuts) private readonly givenUp: Pick<GivenUpCuts, 'list'>) {}

  @Get('given-up')
  @Endpoint({
    summary: 'Sessions that were not cut',
    description:
      'Edges were told to cut these sessions, for a minute where that made sense, and did not; or they cannot be told, or too many sessions were to be cut. What played may play on. About the last 1,000, for 7 days.',
    query,
    answer,
    example: {
      cuts: [
        {
          at: '2026-01-31T18:01:00.000Z',
          edge: 'astra-1',
          session: '42',
          outcome: 'given-up',
          reason: 'kicked',
          why: 'http://192.0.2.10:8000/{session}: status 401: check user and password',
        },
      ],
      total: 1,
    },
    problems: ['redis-away'],
  })
  async list(
    @Query() { edge, outcome, limit: most }: z.output<typeof query>,
  ): Promise<z.input<typeof answer>> {
    // More than there can be: they are bounded in blocks.
    const all = await this.givenUp.list(2 * KEPT);
    const found = all.filter(
      (one) => (edge ?? one.edge) === one.edge && (outcome ?? one.outcome) === one.outcome,
    );
    return { cuts: found.slice(0, most).map(viewOf), total: found.length };
  }
}

function viewOf({ at, edge, sessionId, outcome, reason, detail }: GivenUpCut & { readonly at: number }) {
  return { at: timeText(at), edge, session: sessionId, outcome, reason, why: detail };
}
