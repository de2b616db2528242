import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import type { Clock } from '#usher/domain';
import { CLOCK } from '../endpoint/tokens.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { instant, instantText, limit, short, timeText } from '../endpoint/fields.js';
import { AuditLog } from './audit-log.js';

const query = z.strictObject({
  by: short.optional().describe('The name of a token.'),
  since: instant.optional(),
  limit: limit(500),
  cursor: z
    .string()
    .regex(/^\d{1,20}-\d{1,20}$/, 'not one that the page before gave out')
    .optional()
    .describe('`cursor` of the page before.'),
});

const answer = z.strictObject({
  entries: z.array(
    z.strictObject({
      id: z.string(),
      at: instantText,
      by: z.string().describe('The name of the token.'),
      role: z.string(),
      from: z.string().describe('The address that the call came from.'),
      what: z.string(),
      method: z.string(),
      path: z.string(),
      body: z.string().describe('What was sent, as JSON, without secrets; cut where it was long.'),
      status: z.int(),
      result: z.string().describe('`done`, or the problem that it ended in.'),
    }),
  ),
  cursor: z.string().optional(),
});

const example: z.input<typeof answer> = {
  entries: [
    {
      id: '1764000000000-0',
      at: '2025-11-24T16:00:00.000Z',
      by: 'admin',
      role: 'operator',
      from: '127.0.0.1',
      what: 'Set a hold',
      method: 'POST',
      path: '/api/v1/holds',
      body: '{"kind":"address","subject":"192.0.2.7"}',
      status: 200,
      result: 'done',
    },
  ],
};

/** Who changed what. */
@Controller('audit')
export class AuditController {
  constructor(
    @Inject(AuditLog) private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Endpoint({
    summary: 'The audit log',
    description:
      'Every call that changed something or tried to, the newest first: about 10,000 entries, for 90 days. A page may be short, or empty, with more to come: go on while there is a cursor.',
    query,
    answer,
    example,
    problems: ['redis-away'],
  })
  async list(@Query() { by, since, limit, cursor }: z.output<typeof query>): Promise<z.input<typeof answer>> {
    const { entries, before } = await this.audit.read({
      by,
      since: since?.(this.clock.now()),
      limit,
      before: cursor,
    });
    return {
      entries: entries.map(({ at, ...entry }) => ({ ...entry, at: timeText(at) })),
      cursor: before,
    };
  }
}
