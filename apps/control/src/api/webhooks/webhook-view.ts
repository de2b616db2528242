import { z } from 'zod';
import type { WebhookConfig } from '#usher/config';
import type { DeadLetter } from '../../webhooks/dead-letters.js';
import type { WebhookStatus } from '../../webhooks/webhooks.js';
import { instantText, timeText } from '../endpoint/fields.js';

/** A webhook's receiver as it is sent. */
export const webhookView = z.strictObject({
  name: z.string(),
  address: z.string().describe('Where it is, without its path: that may be a secret.'),
  events: z.array(z.string()).describe('The types that it wants.'),
  state: z
    .enum(['ok', 'failing', 'gone'])
    .describe('failing: something waits that it did not take; gone: it answered 410, and gets nothing more.'),
  waiting: z.int().describe('Events that wait for it.'),
  deliveredAt: instantText.nullable().describe('The last delivery; null: none within 7 days.'),
  failingSince: instantText.nullable(),
  lastFailure: z.strictObject({ at: instantText, why: z.string() }).nullable().describe('Within 7 days.'),
});
export type WebhookView = z.output<typeof webhookView>;

/** A dead letter as it is sent. */
export const deadLetterView = z.strictObject({
  id: z.string(),
  webhook: z.string(),
  givenUpAt: instantText,
  why: z.string(),
  event: z
    .looseObject({ id: z.string(), type: z.string(), time: z.string() })
    .describe('As it would have been sent; see docs/events.md.'),
});
export type DeadLetterView = z.output<typeof deadLetterView>;

export function webhookOf(status: WebhookStatus, config: WebhookConfig | undefined): WebhookView {
  const { name, waiting, gone, deliveredAt, failedAt, failingSince, why } = status;
  return {
    name,
    address: config === undefined ? '' : new URL(config.url).origin,
    events: config?.events ?? [],
    state: gone ? 'gone' : failingSince > 0 ? 'failing' : 'ok',
    waiting,
    deliveredAt: timeOrNull(deliveredAt),
    failingSince: gone ? null : timeOrNull(failingSince),
    lastFailure: failedAt === 0 ? null : { at: timeText(failedAt), why },
  };
}

export function deadLetterOf({ id, receiver, givenUpAt, why, event }: DeadLetter): DeadLetterView {
  return { id, webhook: receiver, givenUpAt, why, event: { ...event } };
}

const timeOrNull = (ms: number): string | null => (ms === 0 ? null : timeText(ms));

export const WEBHOOK_EXAMPLE: WebhookView = {
  name: 'billing',
  address: 'https://billing.example.com',
  events: ['session.*'],
  state: 'failing',
  waiting: 1_204,
  deliveredAt: '2026-01-31T17:58:00.000Z',
  failingSince: '2026-01-31T17:58:01.000Z',
  lastFailure: { at: '2026-01-31T18:05:12.000Z', why: 'status 502' },
};

export const DEAD_LETTER_EXAMPLE: DeadLetterView = {
  id: '1769882400000-0',
  webhook: 'billing',
  givenUpAt: '2026-01-31T18:00:00.000Z',
  why: 'status 422',
  event: {
    id: '1769882399000-000000-07',
    type: 'session.closed',
    time: '2026-01-31T17:59:59.000Z',
    edge: 'astra-1',
    session: '42',
    opening: '1769875200000-000000-07',
    facts: { reason: 'idle', namespace: 'portal', user: '100500', channel: 'a001' },
  },
};
