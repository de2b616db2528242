import type { Effort, Figures } from '../figure.js';
import { compared, inTurns } from '../pairs.js';
import { startNode } from '../processes/children.js';
import { startRedis } from '../processes/redis.js';
import { median } from '../statistics.js';

const SIDE = new URL('../bus/main.js', import.meta.url);
const AIM = 0.6;

type KindName = 'bare' | 'bus' | 'nest';

/** Round trips a second of libs/bus alone, beside a bare loop with the same reply path; two processes and a Redis. */
export async function busRoundTrips({ repetitions, seconds, warm }: Effort): Promise<Figures> {
  const redis = await startRedis();
  const rateOf = async (kind: KindName): Promise<number> => {
    const server = startNode(SIDE, ['serve', kind, String(redis.port)]);
    await server.message();
    const asker = startNode(SIDE, ['ask', kind, String(redis.port), String(seconds - warm), String(warm)]);
    try {
      return (await asker.message()) as number;
    } finally {
      await Promise.all([asker.kill(), server.kill()]);
    }
  };
  const nest: number[] = [];
  try {
    const pairs = await inTurns(
      repetitions,
      async () => {
        nest.push(await rateOf('nest'));
        return rateOf('bus');
      },
      () => rateOf('bare'),
    );
    const rates = compared(pairs);
    return {
      busRoundTrips: {
        ...rates,
        unit: 'round trips/s',
        besideWhat: 'bare loop over Redis Streams',
        aim: { text: `ratio ≥ ${AIM}`, met: rates.ratio >= AIM },
        details: { bytes: 450, inFlight: 256, throughNest: median(nest) },
      },
    };
  } finally {
    await redis.stop();
  }
}
