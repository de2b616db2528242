import { Body, Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { z } from 'zod';
import { maskedPath, readable, reasonSentence, remedyOf } from '#usher/domain';
import { maskQuery } from '#usher/observe';
import { RedisKnownViewers, RedisSessionRegistry } from '#usher/sessions';
import type { ControlNode } from '../../control-node.js';
import type { ApiRequest } from '../endpoint/api-request.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { NODE } from '../endpoint/tokens.js';
import { Problem } from '../problems/problem.js';
import { askedCheck, readCheck, type AskedCheck } from './asked-check.js';
import { explain, type Explanation } from './explain.js';
import { rungView } from './rung.js';
import { DEAD_BY_DESIGN } from './sentences.js';

const answer = z.strictObject({
  allow: z.boolean().nullable().describe('null: the backend’s answer decides, and it was not asked.'),
  says: z.string(),
  reason: z.string().nullable(),
  source: z.string().nullable(),
  whatToDo: z.string().nullable(),
  check: z
    .strictObject({
      edge: z.string(),
      dialect: z.string(),
      session: z.string(),
      derived: z.boolean().describe('The session id is derived: none was given.'),
      channel: z.string(),
      address: z.string(),
      path: z.string(),
      host: z.string(),
      userAgent: z.string(),
      query: z.string().describe('The names of its parameters.'),
    })
    .describe('As Usher read it.'),
  notes: z.array(z.string()).describe('What was taken for granted.'),
  token: z.strictObject({ reusable: z.boolean(), says: z.string(), see: z.string() }),
  rungs: z.array(rungView).describe('Every rung that was looked at, in order.'),
});

/** What would a check be answered, and why? */
@Controller('explain')
export class ExplainController {
  #asking = false;

  constructor(
    @Inject(NODE) private readonly node: ControlNode,
    @Inject(RedisSessionRegistry) private readonly registry: RedisSessionRegistry,
    @Inject(RedisKnownViewers) private readonly known: RedisKnownViewers,
  ) {}

  @Post()
  @HttpCode(200)
  @Endpoint({
    summary: 'What would be answered to a check, and why',
    description:
      'Goes down the ladder as a gateway would, and changes nothing. The backend is asked only with ask: true, only where its token may be asked about again, and only for operators.',
    changesNothing: true,
    body: askedCheck,
    bodyExample: {
      url: 'http://live.example.com/play/a001/index.m3u8?token=123',
      edge: 'astra-1',
      address: '192.0.2.7',
    },
    answer,
    example: {
      allow: null,
      says: 'portal is asked, and its answer decides.',
      reason: null,
      source: null,
      whatToDo: null,
      check: {
        edge: 'astra-1',
        dialect: 'astra',
        session: 'uyaxzhvcoyl3kqtsnzcdlhaieu',
        derived: true,
        channel: 'a001',
        address: '192.0.2.7',
        path: '/play/a001/index.m3u8',
        host: 'live.example.com',
        userAgent: '',
        query: 'token=***',
      },
      notes: ['The channel is guessed from the path: a001.'],
      token: { reusable: false, says: DEAD_BY_DESIGN, see: '/api/v1/why?address=192.0.2.7&channel=a001' },
      rungs: [
        {
          rung: 'backend',
          answers: null,
          says: 'portal is asked, and its answer decides.',
          because: DEAD_BY_DESIGN,
        },
      ],
    },
    problems: ['role-too-low', 'not-now'],
  })
  async explain(@Body() asked: AskedCheck, @Req() request: ApiRequest): Promise<z.input<typeof answer>> {
    const { config } = this.node;
    const read = readCheck(asked, config);
    const given = { node: this.node, registry: this.registry, known: this.known };
    const explained = asked.ask
      ? await this.asking(request, () => explain(given, read, true))
      : await explain(given, read, false);
    return { ...answerOf(explained), notes: [...read.notes] };
  }

  /** One at a time: nobody uses this to ask a portal to death. */
  private async asking(request: ApiRequest, act: () => Promise<Explanation>): Promise<Explanation> {
    if (request.caller?.role !== 'operator') {
      throw new Problem('role-too-low', 'Asking the backend is for operators; without ask it is not asked.');
    }
    if (this.#asking) throw new Problem('not-now', 'Another explanation is asking a backend right now.');
    this.#asking = true;
    try {
      return await act();
    } finally {
      this.#asking = false;
    }
  }
}

function answerOf({
  context,
  rungs,
  decision,
  reusable,
}: Explanation): Omit<z.input<typeof answer>, 'notes'> {
  const { check, route } = context;
  const channel = readable(check.channel);
  const see = new URLSearchParams({
    ...(check.ip === '' ? {} : { address: readable(check.ip) }),
    ...(channel === '' ? {} : { channel }),
  });
  return {
    allow: decision?.allow ?? null,
    says:
      decision === undefined
        ? `${route.target} is asked, and its answer decides.`
        : reasonSentence(decision.reason),
    reason: decision?.reason ?? null,
    source: decision?.source ?? null,
    whatToDo: decision === undefined ? null : remedyOf(decision.reason),
    check: {
      edge: check.edge,
      dialect: check.dialect,
      session: readable(check.sessionId),
      derived: !check.sessionGiven,
      channel,
      address: readable(check.ip),
      path: readable(maskedPath(check.path)),
      host: readable(check.host),
      userAgent: readable(check.userAgent),
      query: maskQuery(check.query),
    },
    token: {
      reusable,
      says: reusable ? 'The token may be asked about again.' : DEAD_BY_DESIGN,
      see: `/api/v1/why?${see.toString()}`,
    },
    rungs: [...rungs],
  };
}
