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

/** How long a worker that took a question about this target is waited for, ms. */
async function patienceWith(target: string): Promise<number> {
  let patience = 0;
  const bus = {
    ask: (
      _pattern: string,
      _data: unknown,
      options: { replyWithinMs: number },
      settle: (how: object) => void,
    ) => {
      patience = options.replyWithinMs;
      settle({ kind: 'silent' });
    },
  };
  const node = { bus, config, questions: { encode: () => '' } } as unknown as ClusterNode;
  await questionBus(node).ask({ target, deadline: 2_000 } as Question);
  return patience;
}

describe('a worker that took a question', () => {
  it.each([
    ['plain', 1_100],
    ['paced', 1_600],
    ['a', 1_600],
    ['any', 2_100],
    ['first', 3_100],
  ])(
    'is given the time of its call, and of its wait for pace or place where there is one: %s',
    async (target, ms) => {
      expect(await patienceWith(target)).toBe(ms);
    },
  );
});
