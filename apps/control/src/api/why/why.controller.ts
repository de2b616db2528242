import { Controller, Get, Inject, Query } from '@nestjs/common';
import { z } from 'zod';
import { Why } from '#usher/decisions';
import { REASONS, type Clock } from '#usher/domain';
import { RedisSessionRegistry } from '#usher/sessions';
import { Endpoint } from '../endpoint/endpoint.js';
import { instant, limit, short } from '../endpoint/fields.js';
import { CLOCK } from '../endpoint/tokens.js';
import { Namespaces } from '../sessions/namespaces.js';
import { lookUpWhy } from './look-up.js';
import { WHY_EXAMPLE, whyView, whyViewOf } from './why-view.js';

const query = z.strictObject({
  user: short.optional().describe('As the backend names him.'),
  namespace: short.optional().describe('Of the user; needed where there are several.'),
  address: short.optional().describe('The viewer’s address, however it is written.'),
  session: short.optional().describe('The edge’s session id; best with edge.'),
  edge: short.optional(),
  channel: short.optional(),
  backend: short.optional(),
  id: short.optional().describe('X-Usher-Id of the answer.'),
  source: short.optional().describe('The rung that answered.'),
  reason: z.enum(Object.keys(REASONS) as [string, ...string[]]).optional(),
  allow: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  since: instant.optional(),
  until: instant.optional(),
  limit: limit(500),
  cursor: z
    .string()
    .regex(/^\d{1,15}-\d{1,15}-\d\d(\.[a-z]{1,16})?$/, 'not one that a list gave out')
    .optional()
    .describe('`cursor` of the page before.'),
});
const answer = z.strictObject({
  answers: z.array(whyView).describe('The newest first.'),
  complete: z.boolean().describe('False: Redis could not be asked, and these are not all.'),
  lookedAt: z.string().describe('Where was looked, in words: what is not there may be outside of it.'),
  cursor: z.string().optional().describe('Of the next page; missing on the last one.'),
});

/** Why a viewer got the answer that he got. */
@Controller('why')
export class WhyController {
  constructor(
    @Inject(Why) private readonly why: Why,
    @Inject(RedisSessionRegistry) private readonly registry: RedisSessionRegistry,
    @Inject(Namespaces) private readonly namespaces: Namespaces,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Endpoint({
    summary: 'Why viewers got the answers that they got',
    description:
      'All filters must hold. By user and by address the last 20 answers of any kind are known, for a day; else the answers of the last day that were not plain allows, about 10,000 of each kind (`why` in the configuration), of which a page looks at 2,000 at most: it may be short, or empty, with more to come: go on while there is a cursor.',
    query,
    answer,
    example: {
      answers: [WHY_EXAMPLE],
      complete: true,
      lookedAt: 'the answers of the last day that were not plain allows',
    },
  })
  async look(@Query() given: z.output<typeof query>): Promise<z.input<typeof answer>> {
    const { user, namespace, since, until, ...rest } = given;
    const now = this.clock.now();
    const found = await lookUpWhy(this.why, this.registry, {
      ...rest,
      user: user === undefined ? undefined : { namespace: this.namespaces.pick(namespace), user },
      since: since?.(now),
      until: until?.(now),
    });
    return { ...found, answers: found.answers.map(whyViewOf) };
  }
}
