import { Controller, Get, Inject, Param } from '@nestjs/common';
import { z } from 'zod';
import { Why } from '#usher/decisions';
import type { RedisClient } from '#usher/redis';
import { listSessions, RedisSessionRegistry } from '#usher/sessions';
import { Endpoint } from '../endpoint/endpoint.js';
import { short, wireString } from '../endpoint/fields.js';
import { REDIS } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';
import { WHY_EXAMPLE, whyView, whyViewOf } from '../why/why-view.js';
import { Namespaces } from './namespaces.js';
import { SESSION_EXAMPLE, sessionView, viewOf } from './session-view.js';

const MOST = 100;
const names = z.strictObject({ namespace: short, user: short });
const answer = z.strictObject({
  namespace: z.string(),
  user: z.string(),
  sessions: z.array(sessionView).describe('That live, 100 at most.'),
  more: z.boolean().describe('He has more sessions: see /sessions?user=….'),
  answers: z.array(whyView).describe('The last 20 of a day, the newest first.'),
});

/** One user: what he watches, and what he was told. */
@Controller('users')
export class UsersController {
  constructor(
    @Inject(REDIS) private readonly redis: RedisClient,
    @Inject(RedisSessionRegistry) private readonly registry: RedisSessionRegistry,
    @Inject(Namespaces) private readonly namespaces: Namespaces,
    @Inject(Why) private readonly why: Why,
  ) {}

  @Get(':namespace/:user')
  @Endpoint({
    summary: 'One user: what he watches, and what he was told',
    params: names,
    answer,
    example: {
      namespace: 'portal',
      user: '100500',
      sessions: [SESSION_EXAMPLE],
      more: false,
      answers: [WHY_EXAMPLE],
    },
    problems: ['not-found', 'redis-away'],
  })
  async read(@Param() given: z.output<typeof names>): Promise<z.input<typeof answer>> {
    const namespace = this.namespaces.pick(given.namespace);
    const user = wireString(given.user);
    const [page, found] = await Promise.all([
      listSessions(this.redis, this.registry, { user: { namespace, user }, limit: MOST }),
      this.why.byUser(namespace, user),
    ]);
    if (page.sessions.length === 0 && found.answers.length === 0) {
      throw new Problem('not-found', 'Nobody of this name watches, or asked within the last day.');
    }
    return {
      namespace,
      user: given.user,
      sessions: page.sessions.map(viewOf),
      more: page.cursor !== undefined,
      answers: found.answers.map(whyViewOf),
    };
  }
}
