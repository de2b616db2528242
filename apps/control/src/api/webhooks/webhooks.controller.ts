import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { z } from 'zod';
import type { ControlNode } from '../../control-node.js';
import { Webhooks, type NotSent } from '../../webhooks/webhooks.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { limit, short } from '../endpoint/fields.js';
import { NODE } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';
import {
  DEAD_LETTER_EXAMPLE,
  deadLetterOf,
  deadLetterView,
  WEBHOOK_EXAMPLE,
  webhookOf,
  webhookView,
} from './webhook-view.js';

const list = z.strictObject({ webhooks: z.array(webhookView).describe('As they are configured.') });

const letterId = z.string().regex(/^\d{1,16}-\d{1,16}$/, 'not one that a list gave out');
const query = z.strictObject({
  webhook: short.optional().describe('Only its letters.'),
  limit: limit(500),
  cursor: letterId.optional().describe('`cursor` of the page before.'),
});
const letters = z.strictObject({
  deadLetters: z.array(deadLetterView).describe('The newest first.'),
  total: z.int().describe('Of all webhooks.'),
  cursor: z.string().optional().describe('Of the next page; missing on the last one.'),
});

const byId = z.strictObject({ id: letterId });
const byName = z.strictObject({ name: short });

/** Who is told what happens, and what they did not take. */
@Controller('webhooks')
export class WebhooksController {
  constructor(
    @Inject(Webhooks) private readonly webhooks: Webhooks,
    @Inject(NODE) private readonly node: Pick<ControlNode, 'config'>,
  ) {}

  @Get()
  @Endpoint({
    summary: 'Webhooks, and how their receivers do',
    description: 'As this process saw them last: some seconds ago. Answered without Redis too.',
    answer: list,
    example: { webhooks: [WEBHOOK_EXAMPLE] },
  })
  list(): z.input<typeof list> {
    const configs = new Map(this.node.config.webhooks.map((config) => [config.name, config]));
    return { webhooks: this.webhooks.statuses().map((one) => webhookOf(one, configs.get(one.name))) };
  }

  @Get('dead-letters')
  @Endpoint({
    summary: 'Events that could not be delivered',
    description:
      'The newest 10,000, for 7 days. With a webhook one page looks at 2,000 letters: it may be short, or empty, with more to come. Go on while there is a cursor.',
    query,
    answer: letters,
    example: { deadLetters: [DEAD_LETTER_EXAMPLE], total: 1 },
    problems: ['redis-away'],
  })
  async deadLetters(@Query() given: z.output<typeof query>): Promise<z.input<typeof letters>> {
    const { webhook, limit: most, cursor } = given;
    const [page, total] = await Promise.all([
      this.webhooks.listDeadLetters({
        receiver: webhook,
        limit: most,
        ...(cursor === undefined ? {} : { after: cursor }),
      }),
      this.webhooks.deadLetterCount(),
    ]);
    return { deadLetters: page.letters.map(deadLetterOf), total, cursor: page.next };
  }

  @Post('dead-letters/:id/send-again')
  @HttpCode(200)
  @Endpoint({
    summary: 'Send a dead letter again',
    description:
      'It goes to its receiver behind those that are sent again already, out of the order of all others: receivers go by its id. Where it fails again, it is a dead letter again.',
    params: byId,
    answer: z.strictObject({ sent: z.literal(1) }),
    example: { sent: 1 },
    problems: ['not-found', 'not-now', 'redis-away'],
  })
  async sendAgain(@Param() { id }: z.output<typeof byId>) {
    const outcome = await this.webhooks.sendAgain(id);
    if (outcome !== 'sent') throw notSent(outcome);
    return { sent: 1 as const };
  }

  @Post(':name/send-again')
  @HttpCode(200)
  @Endpoint({
    summary: 'Send all dead letters of a webhook again',
    description:
      'The oldest first, 500 at most, and no more than may wait for it at once: call it again until it says 0.',
    params: byName,
    answer: z.strictObject({ sent: z.int().describe('0: there are none left.') }),
    example: { sent: 37 },
    problems: ['not-found', 'not-now', 'redis-away'],
  })
  async sendAllAgain(@Param() { name }: z.output<typeof byName>) {
    const outcome = await this.webhooks.sendAllAgain(name);
    if (typeof outcome === 'string') throw outcome === 'no-receiver' ? noWebhook(name) : notSent(outcome);
    return { sent: outcome };
  }

  @Post(':name/resume')
  @HttpCode(200)
  @Endpoint({
    summary: 'Call a receiver again that was gone',
    description:
      'One that answered 410 gets nothing more. After this it gets what happens from now on, within some seconds; what happened meanwhile was dropped.',
    params: byName,
    answer: z.strictObject({ resumed: z.literal(true) }),
    example: { resumed: true },
    problems: ['not-found', 'redis-away'],
  })
  async resume(@Param() { name }: z.output<typeof byName>) {
    if (!(await this.webhooks.welcomeBack(name))) throw noWebhook(name);
    return { resumed: true as const };
  }
}

function noWebhook(name: string): Problem {
  return new Problem('not-found', `There is no webhook ${name}.`);
}

function notSent(why: NotSent): Problem {
  switch (why) {
    case 'unknown':
      return new Problem('not-found', 'There is no such dead letter, or it was sent again already.');
    case 'no-receiver':
      return new Problem('not-now', 'Its webhook is no longer configured.');
    case 'gone':
      return new Problem('not-now', 'Its receiver is gone (410), and gets nothing.', {
        whatToDo: 'When the receiver is there again, call resume for its webhook first.',
      });
    case 'full':
      return new Problem('not-now', 'As many as may wait are on their way to this receiver again.', {
        whatToDo: 'Wait until it has taken them, and try again.',
      });
  }
}
