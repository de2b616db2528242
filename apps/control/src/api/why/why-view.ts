import { z } from 'zod';
import type { WhyAnswer } from '#usher/decisions';
import { remedyOf } from '#usher/domain';
import { instantText, timeText } from '../endpoint/fields.js';

/** An answer that some edge got, with what support says about it. */
export const whyView = z.strictObject({
  id: z.string().describe('X-Usher-Id of the answer.'),
  at: instantText,
  allow: z.boolean(),
  says: z.string().describe('Why, in a sentence to read out.'),
  whatToDo: z.string(),
  source: z.string().describe('The rung that answered.'),
  reason: z.string(),
  cause: z
    .strictObject({
      because: z.string().nullable().describe('backend, or us'),
      reason: z.string().nullable(),
      says: z.string().nullable(),
      whatToDo: z.string().nullable(),
      detail: z.string().nullable().describe('What happened, where it is known.'),
    })
    .nullable()
    .describe('Why nobody could be asked; null where somebody decided.'),
  backend: z
    .strictObject({
      name: z.string(),
      status: z.int().nullable().describe('Its own status.'),
      tookMs: z.number().nullable(),
    })
    .nullable(),
  hold: z
    .looseObject({
      kind: z.string(),
      subject: z.string(),
      by: z.string(),
      reason: z.string(),
      until: instantText,
    })
    .nullable()
    .describe('The hold that decided.'),
  user: z.string().nullable().describe('namespace/user'),
  edge: z.string(),
  session: z.string(),
  channel: z.string(),
  address: z.string(),
  dialect: z.string(),
  userAgent: z.string(),
  path: z.string(),
  query: z.string().describe('The names of its parameters.'),
  times: z.int().describe('So often the same session got the same answer, where this process knows.'),
  lastAt: instantText,
});
export type WhyView = z.output<typeof whyView>;

export function whyViewOf(answer: WhyAnswer): WhyView {
  return {
    id: answer.id,
    at: timeText(answer.at),
    allow: answer.allow,
    says: answer.sentence,
    whatToDo: remedyOf(answer.reason),
    source: answer.source,
    reason: answer.reason,
    cause: causeOf(answer),
    backend:
      answer.backend === undefined
        ? null
        : { name: answer.backend, status: answer.status ?? null, tookMs: answer.tookMs ?? null },
    hold: answer.hold === undefined ? null : { ...answer.hold, until: timeText(answer.hold.until) },
    user: answer.user ?? null,
    edge: answer.edge,
    session: answer.session,
    channel: answer.channel,
    address: answer.ip,
    dialect: answer.dialect,
    userAgent: answer.userAgent,
    path: answer.path,
    query: answer.query,
    times: answer.repeats + 1,
    lastAt: timeText(answer.lastAt),
  };
}

function causeOf({ because, cause, causeSentence, detail }: WhyAnswer): WhyView['cause'] {
  if (because === undefined && cause === undefined) return null;
  return {
    because: because ?? null,
    reason: cause ?? null,
    says: causeSentence ?? null,
    whatToDo: cause === undefined ? null : remedyOf(cause),
    detail: detail ?? null,
  };
}

export const WHY_EXAMPLE: WhyView = {
  id: '3f9a1c-2b',
  at: '2026-01-31T18:00:00.000Z',
  allow: false,
  says: 'The backend refused this viewer.',
  whatToDo:
    'Ask the middleware why: the token, the subscription, and the time between making the link and playing it.',
  source: 'backend',
  reason: 'backend-denied',
  cause: null,
  backend: { name: 'portal', status: 403, tookMs: 12.3 },
  hold: null,
  user: null,
  edge: 'astra-1',
  session: '42',
  channel: 'a001',
  address: '192.0.2.7',
  dialect: 'astra',
  userAgent: 'VLC/3.0',
  path: '/play/a001/index.m3u8',
  query: 'token=***',
  times: 1,
  lastAt: '2026-01-31T18:00:00.000Z',
};
