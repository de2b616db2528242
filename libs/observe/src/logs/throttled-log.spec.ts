import { silentLog } from '#usher/domain';
import type { LogFields } from '#usher/domain';
import { ThrottledLog } from './throttled-log.js';

function setUp(maxKeys = 10) {
  let now = 0;
  const said: LogFields[] = [];
  const log = { ...silentLog, warn: (fields: LogFields) => void said.push(fields) };
  const throttled = new ThrottledLog(
    log,
    { monotonic: () => now, now: () => now },
    { every: 1_000, maxKeys },
  );
  return { said, throttled, pass: (ms: number) => void (now += ms) };
}

describe('ThrottledLog', () => {
  it('says a thing once in its time, and then how often it kept silent', () => {
    const { said, throttled, pass } = setUp();
    for (let i = 0; i < 5; i += 1) throttled.warn('a', { i }, 'x');
    throttled.warn('b', { i: 'b' }, 'x');
    pass(1_000);
    throttled.warn('a', { i: 9 }, 'x');
    expect(said).toEqual([{ i: 0 }, { i: 'b' }, { i: 9, suppressed: 4 }]);
  });

  it('forgets the key that was silent for longest, so that hostile keys cost bounded memory', () => {
    const { said, throttled } = setUp(2);
    for (const key of ['a', 'b', 'c', 'c', 'a']) throttled.warn(key, { key }, 'x');
    expect(said.map((fields) => fields['key'])).toEqual(['a', 'b', 'c', 'a']);
  });

  it('refuses bounds that bound nothing', () => {
    expect(
      () => new ThrottledLog(silentLog, { monotonic: () => 0, now: () => 0 }, { every: 0, maxKeys: 1 }),
    ).toThrow(RangeError);
  });
});
