import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { ManualClock } from '#usher/testing';
import { Sensor, type SensorConfig } from './sensor.js';

const SETTINGS: SensorConfig = { failureRate: 50, minCalls: 20, window: 10_000, consecutive: 5 };

function sensing(settings: Partial<SensorConfig> = {}) {
  const clock = new ManualClock();
  let failing = 0;
  const sensor = new Sensor({ ...SETTINGS, ...settings }, clock, () => {
    failing += 1;
  });
  /** `+` is a good call, `-` a failed one. */
  const calls = async (outcomes: string): Promise<void> => {
    for (const outcome of outcomes) {
      sensor.record(outcome === '+');
      await turnOfTheLoop();
    }
  };
  return { clock, sensor, calls, failing: () => failing };
}

describe('the sensor', () => {
  it('fails after so many failures in a row, and says so once', async () => {
    const { sensor, calls, failing } = sensing();
    await calls('----');
    expect([sensor.open, failing()]).toEqual([false, 0]);
    await calls('---');
    expect([sensor.open, failing(), sensor.opinion()]).toEqual([true, 1, 'failing']);
  });

  it('does not fail at the first failure', async () => {
    const { sensor, calls } = sensing();
    await calls('-');
    expect([sensor.open, sensor.opinion()]).toEqual([false, undefined]);
  });

  it('fails at the configured share of failures, not before so many calls', async () => {
    const { sensor, calls } = sensing();
    await calls('-+'.repeat(9));
    expect([sensor.open, sensor.opinion()]).toEqual([false, 'bad']);
    await calls('+-');
    expect(sensor.open).toBe(true);
  });

  it('does not fail below that share', async () => {
    const { sensor, calls } = sensing();
    await calls('-+++-+'.repeat(20));
    expect([sensor.open, sensor.opinion()]).toEqual([false, 'good']);
  });

  it('has an opinion after five calls, or after three failures in a row', async () => {
    const few = sensing();
    await few.calls('++++');
    expect(few.sensor.opinion()).toBeUndefined();
    await few.calls('+');
    expect(few.sensor.opinion()).toBe('good');
    const row = sensing();
    await row.calls('--');
    expect(row.sensor.opinion()).toBeUndefined();
    await row.calls('-');
    expect(row.sensor.opinion()).toBe('bad');
  });

  it('forgets what is older than its window', async () => {
    const { clock, sensor, calls } = sensing();
    await calls('--+--+--+');
    expect(sensor.opinion()).toBe('bad');
    clock.advance(11_000);
    expect([sensor.calls, sensor.opinion()]).toEqual([0, undefined]);
    await calls('---++');
    clock.advance(5_000);
    expect(sensor.calls).toBe(5);
  });

  it('measures the rate over its window, or over its life if that is shorter', async () => {
    const { clock, sensor, calls } = sensing();
    clock.advance(2_000);
    await calls('+'.repeat(40));
    expect(sensor.rate).toBe(20);
    clock.advance(8_500);
    await calls('+'.repeat(60));
    expect(sensor.rate).toBe(10);
  });

  it('does not call it failing when the cluster’s verdict opens it, and then stays open', async () => {
    const { clock, sensor, calls, failing } = sensing();
    sensor.forceOpen();
    clock.advance(3_600_000);
    await calls('++++++');
    expect([sensor.open, failing()]).toEqual([true, 0]);
  });
});
