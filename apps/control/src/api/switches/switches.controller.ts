import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { z } from 'zod';
import type { Clock, Switch } from '#usher/domain';
import { SwitchNameError } from '#usher/node';
import type { ControlNode } from '../../control-node.js';
import type { ApiRequest } from '../endpoint/api-request.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { instantText, short, timeText } from '../endpoint/fields.js';
import { ending, endOf, hasOneEnd } from '../endpoint/span.js';
import { CLOCK, NODE } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';

const kind = z.enum(['backend', 'route']);
const mode = z
  .enum(['maintenance', 'open', 'stale', 'closed'])
  .describe('maintenance: its own fail mode; the others force one.');

const switchView = z.strictObject({
  kind,
  name: z.string(),
  mode,
  since: instantText,
  until: instantText,
  by: z.string(),
  reason: z.string(),
});
const EXAMPLE: z.input<typeof switchView> = {
  kind: 'backend',
  name: 'portal',
  mode: 'maintenance',
  since: '2026-01-31T02:00:00.000Z',
  until: '2026-01-31T04:00:00.000Z',
  by: 'night shift',
  reason: 'the portal is upgraded',
};

const wanted = z
  .strictObject({
    kind,
    name: short,
    mode,
    ...ending,
    reason: z.string().min(1, 'say why').max(256, 'at most 256 characters'),
  })
  .refine(hasOneEnd, { message: 'either until or for: a switch has an end', path: ['until'] });
const named = z.strictObject({ kind, name: short });
const list = z.strictObject({ switches: z.array(switchView) });

/** Backends and routes that are taken out of use until a time: nobody is asked. */
@Controller('switches')
export class SwitchesController {
  constructor(
    @Inject(NODE) private readonly node: Pick<ControlNode, 'switches'>,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get()
  @Endpoint({ summary: 'The switches that count now', answer: list, example: { switches: [EXAMPLE] } })
  list(): z.input<typeof list> {
    return { switches: Array.from(this.node.switches.all(), viewOf) };
  }

  @Post()
  @HttpCode(200)
  @Endpoint({
    summary: 'Take a backend or a route out of use until a time',
    description:
      'No call is made, no breaker counts, no alarm is raised. Who was let in by the backend plays on; for new viewers what stands in is the fail mode. 31 days at most.',
    body: wanted,
    bodyExample: {
      kind: 'backend',
      name: 'portal',
      mode: 'maintenance',
      for: '2h',
      reason: 'the portal is upgraded',
    },
    answer: switchView,
    example: EXAMPLE,
    problems: ['redis-away'],
  })
  async set(
    @Body() body: z.output<typeof wanted>,
    @Req() { caller }: ApiRequest,
  ): Promise<z.input<typeof switchView>> {
    const { kind: what, name, mode: how, reason } = body;
    const until = endOf(body, this.clock.now());
    try {
      const set = { kind: what, name, mode: how, time: { until }, by: caller?.name ?? '', reason };
      return viewOf(await this.node.switches.set(set));
    } catch (error) {
      const isTheirs = error instanceof SwitchNameError || error instanceof RangeError;
      throw isTheirs ? new Problem('bad-body', error.message) : error;
    }
  }

  @Delete(':kind/:name')
  @Endpoint({
    summary: 'Put a backend or a route back into use',
    params: named,
    answer: z.strictObject({ lifted: z.literal(true) }),
    example: { lifted: true },
    problems: ['not-found', 'redis-away'],
  })
  async lift(@Param() { kind: what, name }: z.output<typeof named>, @Req() { caller }: ApiRequest) {
    const lifted = await this.node.switches.lift(what, name, caller?.name ?? '');
    if (!lifted) throw new Problem('not-found', `${what} ${name} is not switched.`);
    return { lifted: true as const };
  }
}

function viewOf({
  kind: what,
  name,
  mode: how,
  since,
  until,
  by,
  reason,
}: Switch): z.input<typeof switchView> {
  const [from, to] = [timeText(since), timeText(until)];
  return { kind: what, name, mode: how, since: from, until: to, by, reason };
}
