import { Body, Controller, HttpCode, Inject, Post, Req } from '@nestjs/common';
import { z } from 'zod';
import { readable } from '#usher/domain';
import { holdSubject } from '#usher/sessions';
import type { Kick, KickTarget } from '../../kicks/kick.js';
import { Kicks, type KickReport } from '../../kicks/kicks.js';
import type { ApiRequest } from '../endpoint/api-request.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { short, wireString } from '../endpoint/fields.js';
import { span } from '../endpoint/span.js';
import { holdProblem } from '../holds/hold-problem.js';
import { HOLD_EXAMPLE, holdView, holdViewOf } from '../holds/hold-view.js';

const wanted = z
  .strictObject({
    session: z.strictObject({ edge: short, id: short }).optional(),
    user: z.strictObject({ namespace: short, user: short }).optional(),
    channel: short.optional(),
    address: short.optional(),
    edge: short.optional(),
    holdFor: span
      .prefault('60s')
      .describe('Whoever is kicked is refused so long; 0s: he may return at once.'),
    reason: z.string().min(1, 'say why').max(256, 'at most 256 characters'),
  })
  .refine((body) => targetsOf(body).length === 1, {
    message: 'exactly one of session, user, channel, address, edge',
    path: ['session'],
  });

const answer = z.strictObject({
  revoked: z
    .array(z.strictObject({ edge: z.string(), session: z.string() }))
    .describe('By now, 500 at most.'),
  holds: z.array(holdView).describe('What refuses the return.'),
  cannotCut: z
    .int()
    .describe('So many of `revoked` are at edges that cannot be told to cut: what plays there may play on.'),
  goesOn: z.boolean().describe('There are more sessions: they are ended one page after the other.'),
});

/** Ends sessions. */
@Controller('kicks')
export class KicksController {
  constructor(@Inject(Kicks) private readonly kicks: Kicks) {}

  @Post()
  @HttpCode(200)
  @Endpoint({
    summary: 'End sessions, and refuse their return for a while',
    description:
      'Every gateway forgets them within a moment, and their edges are told to cut, where they can be told (see /cuts). The hold is on the user with his device, else on the viewer key; of a channel or an address on just that.',
    body: wanted,
    bodyExample: { user: { namespace: 'portal', user: '100500' }, reason: 'asked for by support' },
    answer,
    example: {
      revoked: [{ edge: 'astra-1', session: '42' }],
      holds: [{ ...HOLD_EXAMPLE, kind: 'user-viewer', origin: 'kick' }],
      cannotCut: 0,
      goesOn: false,
    },
    problems: ['redis-away', 'not-now'],
  })
  async kick(
    @Body() body: z.output<typeof wanted>,
    @Req() { caller }: ApiRequest,
  ): Promise<z.input<typeof answer>> {
    const { reason, holdFor } = body;
    const [target] = targetsOf(body);
    const kick = { target: target!, by: caller?.name ?? '', reason, holdFor };
    const { revoked, holds, goesOn, cannotCut } = await this.#kick(kick);
    return {
      revoked: revoked.map(({ edge, sessionId }) => ({ edge, session: readable(sessionId) })),
      holds: holds.slice(0, 500).map(holdViewOf),
      cannotCut,
      goesOn,
    };
  }

  async #kick(kick: Kick): Promise<KickReport> {
    try {
      const { target } = kick;
      if (target.kind !== 'address') return await this.kicks.kick(kick);
      // In its one form, as holds and sessions have it.
      const ip = holdSubject('address', target.ip);
      return await this.kicks.kick({ ...kick, target: { kind: 'address', ip } });
    } catch (error) {
      throw holdProblem(error);
    }
  }
}

interface Named {
  readonly session?: { readonly edge: string; readonly id: string } | undefined;
  readonly user?: { readonly namespace: string; readonly user: string } | undefined;
  readonly channel?: string | undefined;
  readonly address?: string | undefined;
  readonly edge?: string | undefined;
}

function targetsOf({ session, user, channel, address, edge }: Named): KickTarget[] {
  const targets: KickTarget[] = [];
  if (session) targets.push({ kind: 'session', edge: session.edge, sessionId: wireString(session.id) });
  if (user) targets.push({ kind: 'user', namespace: user.namespace, user: wireString(user.user) });
  if (channel !== undefined) targets.push({ kind: 'channel', channel: wireString(channel) });
  if (address !== undefined) targets.push({ kind: 'address', ip: wireString(address) });
  if (edge !== undefined) targets.push({ kind: 'edge', edge });
  return targets;
}
