import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import type { Clock } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { listEvents } from '#usher/sessions';
import type { ControlNode } from '../../control-node.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { instant, instantText, limit, short } from '../endpoint/fields.js';
import { CLOCK, NODE, REDIS } from '../endpoint/tokens.js';
import { eventFilter } from './event-filter.js';

/** Of one command, ms: as the API's other lists. */
const PATIENCE = 2_000;

const query = z.strictObject({
  type: z
    .string()
    .max(512)
    .regex(/^[a-z.*-]+(,[a-z.*-]+)*$/, 'types such as session.closed, or session.*, separated by commas')
    .transform((text) => text.split(','))
    .optional()
    .describe('session.closed; session.* is every type that begins so; several are separated by commas.'),
  edge: short.optional(),
  session: short.optional().describe('The edge’s session id; best with edge.'),
  user: short.optional().describe('As the backend names him.'),
  namespace: short.optional().describe('Of the user, where it matters.'),
  backend: short.optional(),
  since: instant.optional(),
  until: instant.optional(),
  limit: limit(500),
  cursor: z
    .string()
    .max(64, 'not one that a list gave out')
    .optional()
    .describe('`cursor` of the page before.'),
});
const answer = z.strictObject({
  events: z
    .array(
      z.strictObject({
        id: z.string(),
        type: z.string(),
        time: instantText,
        edge: z.string().optional(),
        session: z.string().optional(),
        opening: z.string().optional().describe('The id of the event that opened the session.'),
        facts: z.record(z.string(), z.string()),
      }),
    )
    .describe('The newest first; docs/events.md says what stands in each.'),
  cursor: z.string().optional().describe('Of the next page; missing on the last one.'),
});

/** What happened lately: the events that webhooks get too. */
@Controller('events')
export class EventsController {
  constructor(
    @Inject(NODE) private readonly node: Pick<ControlNode, 'config'>,
    @Inject(REDIS) private readonly redis: RedisClient,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Endpoint({
    summary: 'The latest lifecycle events',
    description:
      'All filters must hold. The events of about the last hour are kept, about 10,000 of each shard. A page looks at 2,000 of them at most: it may be short, or empty, with more to come: go on while there is a cursor.',
    query,
    answer,
    example: {
      events: [
        {
          id: '1779048900123-000000-07',
          type: 'session.closed',
          time: '2026-05-17T20:15:00.123Z',
          edge: 'astra-1',
          session: '42',
          facts: { reason: 'closed-by-edge', namespace: 'portal', user: '100500', channel: 'a001' },
        },
      ],
      cursor: '1779048900123-0-07',
    },
    problems: ['redis-away'],
  })
  async list(@Query() given: z.output<typeof query>): Promise<z.input<typeof answer>> {
    const { since, until, limit: most, cursor, ...rest } = given;
    const now = this.clock.now();
    const page = await listEvents(
      this.redis,
      this.node.config.redis.shards,
      { wants: eventFilter(rest), since: since?.(now), until: until?.(now), limit: most, cursor },
      PATIENCE,
    );
    return { events: page.events.map((event) => ({ ...event })), cursor: page.cursor };
  }
}
