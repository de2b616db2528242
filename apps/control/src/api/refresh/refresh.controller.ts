import { Controller, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { z } from 'zod';
import type { ControlNode } from '../../control-node.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { short, wireString } from '../endpoint/fields.js';
import { NODE } from '../endpoint/tokens.js';

const names = z.strictObject({ namespace: short, user: short });
const answer = z.strictObject({
  sessions: z.int().describe('His sessions, 1,000 at most.'),
  askedAgain: z.int().describe('Of these, those about which their backend is asked again.'),
});

/** Something about a user has changed this minute. */
@Controller('users')
export class RefreshController {
  constructor(@Inject(NODE) private readonly node: Pick<ControlNode, 'refresh'>) {}

  @Post(':namespace/:user/refresh')
  @HttpCode(200)
  @Endpoint({
    summary: 'Forget what is kept of a user: he paid, or was cut off, this minute',
    description:
      'Denials and grants are forgotten everywhere, and the next check of his is asked about. What plays on a credential that is good once plays on: it could not be asked about (see /kicks).',
    params: names,
    answer,
    example: { sessions: 2, askedAgain: 1 },
    problems: ['redis-away'],
  })
  refresh(@Param() { namespace, user }: z.output<typeof names>): Promise<z.input<typeof answer>> {
    return this.node.refresh(namespace, wireString(user));
  }
}
