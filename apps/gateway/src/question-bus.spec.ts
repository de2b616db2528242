import { configSchema } from '#usher/config';
import type { Question } from '#usher/domain';
import type { ClusterNode } from '#usher/node';
import { questionBus } from './question-bus.js';

const http = { type: 'http', url: 'http://portal.example.com' };
const config = configSchema.parse({
  backends: { plain: http, paced: { ...http, pace: 5 }, a: http, b: { ...http, timeout: '1500ms' } },
  groups: { any: { backends: ['a', 'b'] }, first: { backends: ['a', 'b'], policy: 'first' } },
  routes: [{ backend: 'plain' }],
});

interface Options {
  readonly replyWithinMs?: number;
  readonly heardWithinMs?: number;
  readonly takeWithinMs?: number;
}

/** How long a worker that took a question about this target is waited for. */
async function patienceWith(target: string, asked: Partial<Question> = {}): Promise<Options> {
  let patience: Options = {};
  const bus = {
    ask: (_pattern: string, _data: unknown, options: Options, settle: (how: object) => void) => {
      patience = options;
      settle({ kind: 'silent' });
    },
  };
  const node = { bus, config, questions: { encode: () => '' } } as unknown as ClusterNode;
  await questionBus(node).ask({ target, deadline: 2_000, ...asked } as Question);
  return patience;
}

describe('a worker that took a question', () => {
  it('is given the time of its call', async () => {
    expect((await patienceWith('plain')).replyWithinMs).toBe(1_100);
  });

  it.each(['paced', 'a', 'any', 'first'])(
    'is waited for to the deadline where it waits in line itself: %s',
    async (target) => {
      expect((await patienceWith(target)).replyWithinMs).toBeUndefined();
    },
  );

  it.each(['plain', 'paced', 'any'])('is to be heard of, or the direct rung is taken: %s', async (target) => {
    expect((await patienceWith(target)).heardWithinMs).toBe(600);
  });
});

it.each([
  [2_000, 150],
  [112, 28],
])(
  'of %p ms until the deadline a worker has %p to take a question, or the gateway asks itself',
  async (left, ms) => {
    const askedAt = 1_000_000;
    expect((await patienceWith('plain', { askedAt, deadline: askedAt + left })).takeWithinMs).toBe(ms);
  },
);
