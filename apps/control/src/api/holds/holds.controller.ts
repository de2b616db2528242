import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import { z } from 'zod';
import { credentialKeyOf, type Clock, type Hold } from '#usher/domain';
import type { ControlNode } from '../../control-node.js';
import type { ApiRequest } from '../endpoint/api-request.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { limit, wireString } from '../endpoint/fields.js';
import { ending, endOf, hasOneEnd } from '../endpoint/span.js';
import { CLOCK, NODE } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';
import { holdProblem } from './hold-problem.js';
import { HOLD_EXAMPLE, holdView, holdViewOf, KINDS } from './hold-view.js';

const subject = z.string().min(1, 'empty').max(512, 'at most 512 characters');

const query = z.strictObject({
  kind: z.enum(KINDS).optional(),
  origin: z.enum(['hand', 'kick', 'eviction', 'protection']).optional(),
  after: z.string().max(600).optional().describe('`next` of the page before.'),
  limit: limit(500),
});
const page = z.strictObject({
  holds: z.array(holdView).describe('By kind and subject.'),
  total: z.int().describe('Holds that match, on all pages.'),
  next: z.string().nullable().describe('For `after`; null on the last page.'),
});

const wanted = z
  .strictObject({
    kind: z.enum(KINDS),
    subject: subject
      .optional()
      .describe(
        'An address, a network (10.0.0.0/8), a user agent (* stands for anything), a channel, namespace/user, a viewer key, or namespace/user/viewer key.',
      ),
    credential: subject
      .optional()
      .describe('For kind credential, in place of `subject`: the token itself. It is not stored.'),
    effect: z.enum(['refuse', 'pass']).prefault('refuse').describe('refuse, or let in unasked.'),
    ...ending,
    reason: z
      .string()
      .min(1, 'say why')
      .max(256, 'at most 256 characters')
      .describe('For the next shift, and for support.'),
  })
  .refine(hasOneEnd, { message: 'either until or for: a hold has an end', path: ['until'] })
  .refine(
    ({ kind, subject: given, credential }) => (kind === 'credential' ? credential : given) !== undefined,
    {
      message: 'what is held is missing (kind credential: credential, else subject)',
      path: ['subject'],
    },
  );

const named = z.strictObject({ kind: z.enum(KINDS), subject });

/** Who is refused, or let in unasked, until a time. */
@Controller('holds')
export class HoldsController {
  constructor(
    @Inject(NODE) private readonly node: Pick<ControlNode, 'holds'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Endpoint({
    summary: 'The holds that count now',
    description: 'As this process knows them: a change elsewhere is here within a moment.',
    query,
    answer: page,
    example: { holds: [HOLD_EXAMPLE], total: 1, next: null },
  })
  list(@Query() { kind, origin, after = '', limit: most }: z.output<typeof query>): z.input<typeof page> {
    const found = Array.from(this.node.holds.all())
      .filter((hold) => (kind ?? hold.kind) === hold.kind && (origin ?? hold.origin) === hold.origin)
      .map((hold) => ({ hold, name: nameOf(hold) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const rest = found.filter(({ name }) => name > wireString(after));
    const shown = rest.slice(0, most).map(({ hold }) => holdViewOf(hold));
    const last = shown.at(-1);
    const next = last !== undefined && rest.length > most ? `${last.kind}:${last.subject}` : null;
    return { holds: shown, total: found.length, next };
  }

  @Post()
  @HttpCode(200)
  @Endpoint({
    summary: 'Block, or always allow, until a time',
    description:
      'On every gateway within a moment; what is playing is not cut (see /kicks). Of several the narrowest counts: credential, viewer, address, network, agent, channel; then, once he is named, the user on one device before the user.',
    body: wanted,
    bodyExample: { kind: 'user', subject: 'portal/100500', for: '6h', reason: 'shares the account' },
    answer: holdView,
    example: HOLD_EXAMPLE,
    problems: ['redis-away', 'not-now'],
  })
  async set(
    @Body() body: z.output<typeof wanted>,
    @Req() { caller }: ApiRequest,
  ): Promise<z.input<typeof holdView>> {
    const { kind, effect, reason, credential = '', subject: given = '' } = body;
    const held = kind === 'credential' ? credentialKeyOf(wireString(credential)) : wireString(given);
    const time = { until: endOf(body, this.clock.now()) };
    const by = caller?.name ?? '';
    try {
      const hold = { kind, subject: held, effect, origin: 'hand', by, reason, time } as const;
      return holdViewOf(await this.node.holds.set(hold));
    } catch (error) {
      throw holdProblem(error);
    }
  }

  @Delete(':kind/:subject')
  @Endpoint({
    summary: 'Lift a hold',
    params: named,
    answer: z.strictObject({ lifted: z.literal(true) }),
    example: { lifted: true },
    problems: ['not-found', 'redis-away'],
  })
  async lift(@Param() { kind, subject: held }: z.output<typeof named>, @Req() { caller }: ApiRequest) {
    const lifted = await this.node.holds
      .lift(kind, wireString(held), caller?.name ?? '')
      .catch((error: unknown) => Promise.reject(holdProblem(error)));
    if (!lifted) throw new Problem('not-found', `There is no hold on ${kind} ${held}, or it is over.`);
    return { lifted: true as const };
  }
}

const nameOf = ({ kind, subject: held }: Hold): string => `${kind}:${held}`;
