import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import { readable } from '#usher/domain';
import type { RedisClient } from '#usher/redis';
import { Census, countSessions, RedisSessionRegistry } from '#usher/sessions';
import { Endpoint } from '../endpoint/endpoint.js';
import { instantText, limit, timeText } from '../endpoint/fields.js';
import { REDIS } from '../endpoint/tokens.js';

const counts = z.strictObject({
  total: z.int(),
  presence: z.record(z.string(), z.int()).describe('seen, listed, assumed'),
  state: z.record(z.string(), z.int()).describe('active, on-trust, unconfirmed, revoked'),
});

const topQuery = z.strictObject({ by: z.enum(['channel', 'edge', 'user']), limit: limit(100) });
const top = z.strictObject({
  by: z.string(),
  total: z.int().describe('Of all sessions.'),
  drawn: z.int().describe('So many were drawn; all of them where it is the total.'),
  exact: z.boolean().describe('False: the counts are shares of those drawn.'),
  at: instantText,
  top: z.array(
    z.strictObject({
      name: z.string(),
      namespace: z.string().optional().describe('Of a user.'),
      sessions: z.int(),
    }),
  ),
});

/** How many are watching, and what. */
@Controller()
export class CountsController {
  constructor(
    @Inject(REDIS) private readonly redis: RedisClient,
    @Inject(RedisSessionRegistry) private readonly registry: RedisSessionRegistry,
    @Inject(Census) private readonly census: Census,
  ) {}

  @Get('counts')
  @Endpoint({
    summary: 'How many sessions live',
    description:
      'In constant time. Sessions whose time is up count until they are swept, a few seconds later.',
    answer: counts,
    example: { total: 3, presence: { listed: 2, seen: 1 }, state: { active: 3 } },
    problems: ['redis-away'],
  })
  async counts(): Promise<z.input<typeof counts>> {
    return countSessions(this.redis, this.registry.shards);
  }

  @Get('top')
  @Endpoint({
    summary: 'Who or what has most sessions',
    description:
      'In constant time: 2,000 sessions are drawn at random, and the channels and users drawn are then counted exactly. Among many thousand sessions a user with a few may be missing: each call finds more. Edges are counted by their share of those drawn.',
    query: topQuery,
    answer: top,
    example: {
      by: 'channel',
      total: 1200,
      drawn: 1200,
      exact: true,
      at: '2026-01-31T18:00:00.000Z',
      top: [{ name: 'a001', sessions: 310 }],
    },
    problems: ['redis-away'],
  })
  async top(@Query() { by, limit: most }: z.output<typeof topQuery>): Promise<z.input<typeof top>> {
    const { total, drawn, at, channels, edges, users } = await this.census.top();
    const names = {
      channel: () => channels.map(({ name, sessions }) => ({ name: readable(name), sessions })),
      edge: () => edges.map(({ name, sessions }) => ({ name, sessions })),
      user: () =>
        users.map(({ name: { namespace, user }, sessions }) => ({
          name: readable(user),
          namespace,
          sessions,
        })),
    };
    const exact = by !== 'edge' || drawn >= total;
    return { by, total, drawn, exact, at: timeText(at), top: names[by]().slice(0, most) };
  }
}
