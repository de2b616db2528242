import { configSchema } from '#usher/config';
import { sessionLife } from './session-life.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const lives = (gateway: object = {}) =>
  sessionLife(
    configSchema.parse({
      gateway,
      edges: {
        usual: { dialect: 'forward' },
        quick: { dialect: 'flussonic', ttl: '30s' },
        patient: { dialect: 'flussonic', ttl: '250s' },
      },
    }),
  );

describe('a session that is seen', () => {
  it('lives for gateway.seenLife, at an edge that is not configured too', () => {
    const { lifeOf } = lives();
    for (const edge of ['usual', 'quick', 'unknown']) expect(lifeOf(edge, 'seen')).toBe(4 * MINUTE);
    expect(lives({ seenLife: '10m' }).lifeOf('usual', 'seen')).toBe(10 * MINUTE);
  });

  it('lives until its edge has asked again, and a minute, in whole minutes', () => {
    expect(lives().lifeOf('patient', 'seen')).toBe(6 * MINUTE);
    expect(lives({ seenLife: '1m' }).lifeOf('usual', 'seen')).toBe(4 * MINUTE);
    expect(lives({ seenLife: '1m' }).lifeOf('quick', 'seen')).toBe(2 * MINUTE);
  });
});

it.each(['listed', 'assumed'] as const)('one that is %s lives for gateway.assumedLife', (presence) => {
  expect(lives().lifeOf('patient', presence)).toBe(4 * HOUR);
});

it('a life of less than a minute is refused: signs of life are told each ten seconds', () => {
  expect(() => configSchema.parse({ gateway: { seenLife: '59s' } })).toThrow(/at least 60s/);
});
