import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { z } from 'zod';
import { Why } from '#usher/decisions';
import type { RedisClient } from '#usher/redis';
import { listSessions, RedisSessionRegistry } from '#usher/sessions';
import { Endpoint } from '../endpoint/endpoint.js';
import { limit, short, wireString } from '../endpoint/fields.js';
import { REDIS } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';
import { endView, readEnded } from './ended-session.js';
import { Namespaces } from './namespaces.js';
import { historyLine, historyOf } from './session-history.js';
import { SESSION_EXAMPLE, sessionView, viewOf } from './session-view.js';

const query = z.strictObject({
  user: short.optional().describe('As the backend names him.'),
  namespace: short.optional().describe('Of the user; needed where there are several.'),
  channel: short.optional(),
  edge: short.optional(),
  address: short.optional().describe('The viewer’s address, however it is written.'),
  state: z.enum(['active', 'on-trust', 'unconfirmed', 'revoked']).optional(),
  source: z
    .enum([
      'hold',
      'rule',
      'cache',
      'session',
      'backend',
      'direct',
      'stale',
      'known',
      'fail-open',
      'overload',
    ])
    .optional()
    .describe('The rung that let it in.'),
  presence: z.enum(['seen', 'listed', 'assumed']).optional(),
  limit: limit(500),
  cursor: z
    .string()
    .max(2_048, 'not one that a list gave out')
    .optional()
    .describe('`cursor` of the page before.'),
});
const page = z.strictObject({
  sessions: z.array(sessionView),
  cursor: z.string().optional().describe('Of the next page; missing on the last one.'),
});

const names = z.strictObject({ edge: short, id: short });
const one = z.strictObject({
  session: sessionView.describe('One that ended: as it was then.'),
  ended: endView.nullable().describe('null: it lives.'),
  history: z.array(historyLine).describe('The oldest first.'),
  complete: z
    .boolean()
    .describe('False: there was more history than could be looked through, or than is kept.'),
});

/** Who is watching. */
@Controller('sessions')
export class SessionsController {
  constructor(
    @Inject(REDIS) private readonly redis: RedisClient,
    @Inject(RedisSessionRegistry) private readonly registry: RedisSessionRegistry,
    @Inject(Namespaces) private readonly namespaces: Namespaces,
    @Inject(Why) private readonly why: Why,
  ) {}

  @Get()
  @Endpoint({
    summary: 'Sessions that live',
    description:
      'All filters must hold. User, channel and edge have indexes. With another filter one page looks at 2,000 sessions: it may be short, or empty, with more to come. Go on while there is a cursor.',
    query,
    answer: page,
    example: { sessions: [SESSION_EXAMPLE], cursor: 'WzAsIiIsIiIsIiJd' },
    problems: ['redis-away'],
  })
  async list(@Query() given: z.output<typeof query>): Promise<z.input<typeof page>> {
    const { user, namespace, channel, address, ...rest } = given;
    if (user === undefined && namespace !== undefined) {
      const says = 'goes with user only';
      throw new Problem('bad-parameter', `namespace: ${says}.`, {
        errors: [{ parameter: 'namespace', says }],
      });
    }
    const wanted = {
      ...rest,
      ip: address,
      channel: channel === undefined ? undefined : wireString(channel),
      user:
        user === undefined
          ? undefined
          : { namespace: this.namespaces.pick(namespace), user: wireString(user) },
    };
    const { sessions, cursor } = await listSessions(this.redis, this.registry, wanted);
    return { sessions: sessions.map(viewOf), cursor };
  }

  @Get(':edge/:id')
  @Endpoint({
    summary: 'One session, with its history',
    description:
      'Where none of this edge and id lives: the last one that ended, as long as its events are kept (about an hour, and 2,000 events of its shard).',
    params: names,
    answer: one,
    example: {
      session: SESSION_EXAMPLE,
      ended: null,
      history: [
        {
          at: '2026-01-31T18:00:00.000Z',
          what: 'answer',
          says: 'The backend allowed it.',
          source: 'backend',
          reason: 'backend-allowed',
        },
        { at: '2026-01-31T18:00:00.004Z', what: 'opened', says: 'The session began.', source: 'backend' },
      ],
      complete: true,
    },
    problems: ['not-found', 'redis-away'],
  })
  async read(@Param() { edge, id }: z.output<typeof names>): Promise<z.input<typeof one>> {
    const name = { edge: wireString(edge), sessionId: wireString(id) };
    const session = await this.registry.read(name);
    if (session !== undefined) {
      const { lines, complete } = await historyOf(this.redis, this.registry, this.why, session);
      return { session: viewOf(session), ended: null, history: [...lines], complete };
    }
    const past = await readEnded(this.redis, this.registry, this.why, name);
    if (past === undefined) {
      throw new Problem('not-found', 'No session of this edge and id lives, or ended a short while ago.', {
        whatToDo: 'It may have ended before: /api/v1/why?edge=…&session=… knows the answers of the last day.',
      });
    }
    const { lines, complete } = past.history;
    return { session: past.session, ended: past.ended, history: [...lines], complete };
  }
}
