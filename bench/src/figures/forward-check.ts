import type { Effort, Figures } from '../figure.js';
import type { LoadJob, LoadReport } from '../load/load-job.js';
import { compared, each, inTurns } from '../pairs.js';
import type { Generator } from '../processes/generator.js';
import { findNginx, startNginx } from '../processes/nginx.js';
import type { UsherProcess } from '../processes/usher.js';
import { median } from '../statistics.js';
import { runOnRung, startRig, withGenerator } from './rig.js';

/** Enough that answering is not a matter of one hot entry. */
const VIEWERS = 1_000;
const CONNECTIONS = 64;
const EDGE = 'nginx-1';
/** Longer than a run: what nginx keeps may not end in the middle of one. */
const TTL = '180s';
/** Of what nginx answers from its cache, a gateway may have been asked about so much. */
const MAY_BE_ASKED = 0.02;

type Job = Omit<LoadJob, 'port'>;

/**
 * Requests of viewers to a real nginx that asks a gateway about each of them, which answers from memory, beside the same
 * nginx answering its own question from its proxy_cache. Without an nginx there is no such figure.
 */
export async function forwardCheck({ repetitions, seconds, warm }: Effort): Promise<Figures> {
  const program = findNginx();
  if (program === undefined) {
    process.stderr.write('forwardCheck is left out: there is no nginx with auth_request here.\n');
    return {};
  }
  const edge = { dialect: 'forward', ttl: TTL, forward: { paths: ['/live/{channel}/**'] } };
  return withGenerator(async (generator) => {
    const rig = await startRig({ workers: 1, edges: { [EDGE]: edge } });
    const nginx = await startNginx(program, rig.gateway.port, `/e/${EDGE}/forward`);
    const viewers = { first: 0, count: VIEWERS, connections: CONNECTIONS, asker: 'viewer' } as const;
    const loop = { kind: 'closed', seconds, warm } as const;
    try {
      for (const port of [nginx.asking, nginx.caching]) {
        await generator.run({ ...viewers, port, connections: 16, loop: { kind: 'closed' } });
      }
      const pairs = await inTurns<LoadReport>(
        repetitions,
        () => runOnRung(generator, rig.gateway, ['cache'], { ...viewers, port: nginx.asking, loop }),
        () => unasked(generator, rig.gateway, nginx.caching, { ...viewers, loop }),
      );
      const p50 = (side: 'a' | 'b'): number => median(pairs.map((pair) => pair[side].latency.p50));
      return {
        forwardCheck: {
          ...compared(each(pairs, ({ rate }) => rate)),
          unit: 'checks/s',
          besideWhat: 'nginx’s own cache',
          details: {
            p50: { unit: 'ms', asking: p50('a'), caching: p50('b') },
            connections: CONNECTIONS,
            generatorBusy: Math.max(...pairs.flatMap(({ a, b }) => [a.generatorBusy, b.generatorBusy])),
          },
        },
      };
    } finally {
      await nginx.stop();
      await rig.stop();
    }
  });
}

/** A run that nginx answers by itself. Rejects where it asked. */
async function unasked(
  generator: Generator,
  gateway: UsherProcess,
  port: number,
  job: Job,
): Promise<LoadReport> {
  const before = await answers(gateway);
  const report = await generator.run({ ...job, port });
  const asked = (await answers(gateway)) - before;
  if (asked > MAY_BE_ASKED * report.answered) {
    throw new Error(`nginx was to answer from its cache, but asked ${asked} times of ${report.answered}`);
  }
  return report;
}

async function answers(gateway: UsherProcess): Promise<number> {
  return [...(await gateway.answersBySource()).values()].reduce((sum, count) => sum + count, 0);
}
