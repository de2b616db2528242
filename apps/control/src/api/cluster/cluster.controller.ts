import { Controller, Get, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { Clock } from '#usher/domain';
import type { ControlNode } from '../../control-node.js';
import { Endpoint } from '../endpoint/endpoint.js';
import { instantText, timeText } from '../endpoint/fields.js';
import { CLOCK, NODE } from '../endpoint/tokens.js';
import { backendOf, backendView } from './backend-view.js';
import { problemsOf } from './cluster-problems.js';

const backends = z.strictObject({ backends: z.array(backendView) });
const nodes = z.strictObject({
  nodes: z.array(
    z.strictObject({
      id: z.string(),
      role: z.string().describe('gateway, worker, control; several in one process are joined by +'),
      host: z.string(),
      version: z.string(),
      heardAt: instantText.describe('Its last heartbeat.'),
      isThis: z.boolean().describe('The one that answers.'),
    }),
  ),
  alone: z.boolean().describe('Redis is away: this is the last list known.'),
});
const health = z.strictObject({
  status: z.enum(['ok', 'degraded']),
  problems: z.array(z.string()).describe('What is broken, as this process sees it, a sentence each.'),
  redis: z.strictObject({ away: z.boolean(), trouble: z.string() }),
  nodes: z.record(z.string(), z.int()).describe('How many live, by role.'),
  backends: z.record(z.string(), z.string()).describe('Their states.'),
  at: instantText,
});

/** What Usher is made of, and how it is; answered from memory, without Redis too. */
@Controller()
export class ClusterController {
  constructor(
    @Inject(NODE) private readonly node: ControlNode,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get('backends')
  @Endpoint({
    summary: 'Backends and the states of their breakers',
    answer: backends,
    example: {
      backends: [
        {
          name: 'portal',
          type: 'ministra',
          address: 'http://portal.example.com/stalker_portal',
          namespace: 'portal',
          credential: 'once',
          failMode: 'open',
          state: 'suspended',
          since: '2026-01-31T18:00:00.000Z',
          says: 'It is suspended after failures: nobody asks it. Who is not known is let in on trust.',
          alone: false,
          isolated: false,
          suspicious: false,
          groups: [],
        },
      ],
    },
  })
  backends(): z.input<typeof backends> {
    const { config, gates } = this.node;
    const groupsOf = (name: string): string[] =>
      Object.keys(config.groups).filter((group) => config.groups[group]!.backends.includes(name));
    return {
      backends: Object.entries(config.backends).map(([name, backend]) =>
        backendOf(name, backend, gates.gates.get(name)!.status(), groupsOf(name)),
      ),
    };
  }

  @Get('nodes')
  @Endpoint({
    summary: 'Processes that live',
    answer: nodes,
    example: {
      nodes: [
        {
          id: '0a1b2c3d4e5f',
          role: 'gateway',
          host: 'edge-7',
          version: '0.1.0',
          heardAt: '2026-01-31T18:00:00.000Z',
          isThis: false,
        },
      ],
      alone: false,
    },
  })
  nodes(): z.input<typeof nodes> {
    const { membership } = this.node;
    return {
      nodes: membership.nodes().map(({ id, role, host, version, at }) => ({
        id,
        role,
        host,
        version,
        heardAt: timeText(at),
        isThis: id === membership.self,
      })),
      alone: membership.alone,
    };
  }

  @Get('health')
  @Endpoint({
    summary: 'How Usher is',
    answer: health,
    example: {
      status: 'degraded',
      problems: ['backend portal is suspended'],
      redis: { away: false, trouble: '' },
      nodes: { gateway: 2, worker: 2, control: 1 },
      backends: { portal: 'suspended' },
      at: '2026-01-31T18:00:00.000Z',
    },
  })
  health(): z.input<typeof health> {
    const { redis, membership, gates } = this.node;
    const problems = problemsOf(this.node);
    const roles = membership.nodes().flatMap(({ role }) => role.split('+'));
    const count = (role: string): number => roles.filter((one) => one === role).length;
    return {
      status: problems.length === 0 ? 'ok' : 'degraded',
      problems,
      redis: { away: redis.away, trouble: redis.trouble },
      nodes: { gateway: count('gateway'), worker: count('worker'), control: count('control') },
      backends: Object.fromEntries([...gates.gates].map(([name, gate]) => [name, gate.status().state])),
      at: timeText(this.clock.now()),
    };
  }
}
