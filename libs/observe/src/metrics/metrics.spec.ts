import type { Source } from '#usher/domain';
import fc from 'fast-check';
import { METRICS } from './catalogue.js';
import { CheckMetrics } from './check-metrics.js';
import { Latency, LatencyFamily } from './latency.js';
import { Metrics } from './metrics.js';
import type { MetricRow } from './metrics.js';

let metrics: Metrics;
beforeEach(() => {
  metrics = new Metrics();
});
afterEach(() => metrics.close());

async function lines(start: string): Promise<string[]> {
  return (await metrics.text()).split('\n').filter((line) => line.startsWith(start));
}

describe('Metrics', () => {
  it('reads plain numbers at scrape, each time anew', async () => {
    let seen = 1;
    metrics.read(METRICS.sessions, () => [
      { value: seen, labels: { presence: 'seen' } },
      { value: 0, labels: { presence: 'listed' } },
    ]);
    expect(await lines('usher_sessions')).toEqual([
      'usher_sessions{presence="seen"} 1',
      'usher_sessions{presence="listed"} 0',
    ]);
    seen = 2;
    expect((await lines('usher_sessions'))[0]).toBe('usher_sessions{presence="seen"} 2');
    expect(await metrics.text()).toContain(
      `# HELP usher_sessions ${METRICS.sessions.help}\n# TYPE usher_sessions gauge\n`,
    );
  });

  it('leaves out a source that fails, hangs or floods, says so, and shows the others', async () => {
    metrics.read(METRICS.redisAway, () => Promise.reject(new Error('Redis is away')));
    metrics.read(METRICS.clockOffset, () => new Promise<MetricRow[]>(() => {}));
    metrics.read(METRICS.cacheEntries, () => {
      throw new Error('broken');
    });
    metrics.read(METRICS.busLag, function* flood() {
      for (let i = 0; ; i += 1) yield { value: i, labels: { lane: String(i) } };
    });
    metrics.read(METRICS.knownViewers, () => [{ value: 7 }]);
    expect(await lines('usher_known_viewers')).toEqual(['usher_known_viewers 7']);
    expect(await lines('usher_bus_lag')).toHaveLength(1_000);
    const unreadable = (await lines('usher_metrics_unreadable_total')).join('\n');
    for (const { name } of [METRICS.redisAway, METRICS.clockOffset, METRICS.cacheEntries, METRICS.busLag]) {
      expect(unreadable).toContain(`metric="${name}"`);
    }
  });

  it('cannot be made to write a second line by a label’s value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (lane) => {
        const own = new Metrics();
        own.read(METRICS.busLag, () => [{ value: 1, labels: { lane } }]);
        const text = await own.text();
        own.close();
        expect(text.split('\n').filter((line) => line.startsWith('usher_bus_lag'))).toHaveLength(1);
        expect(text).toMatch(/^usher_bus_lag\{lane="(?:[^"\\\n]|\\.)*"\} 1$/m);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses names that are taken, labels that would name people, and counters that do not say so', () => {
    metrics.read(METRICS.knownViewers, () => []);
    expect(() => metrics.read(METRICS.knownViewers, () => [])).toThrow(/already/);
    const help = 'x';
    for (const label of ['user', 'token', 'ip', 'session_id', 'query']) {
      expect(() => metrics.read({ name: 'usher_x', help, kind: 'gauge', labels: [label] }, () => [])).toThrow(
        label,
      );
    }
    expect(() => metrics.read({ name: 'usher_x', help, kind: 'counter', labels: [] }, () => [])).toThrow(
      '_total',
    );
    expect(() => metrics.latencies(METRICS.sessions)).toThrow('histogram');
  });

  it('shows the delay of the event loop and of the process what every process shows', async () => {
    expect(await lines('usher_event_loop_lag_seconds')).toHaveLength(3);
    expect(await lines('process_resident_memory_bytes')).toHaveLength(1);
    expect(await lines('nodejs_heap_size_used_bytes')).toHaveLength(1);
  });

  it('has a table in which every metric keeps the rules', () => {
    const names = Object.values(METRICS).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const fresh = new Metrics();
    for (const definition of Object.values(METRICS)) {
      if (definition === METRICS.eventLoopLag || definition === METRICS.unreadable) continue;
      if (definition.kind === 'histogram') fresh.latencies(definition);
      else fresh.read(definition as typeof METRICS.cacheEntries, () => []);
    }
    fresh.close();
  });
});

describe('CheckMetrics', () => {
  it('counts checks by dialect, decision and source', async () => {
    const checks = new CheckMetrics(metrics);
    checks.count('astra', true, 'cache');
    checks.count('astra', true, 'cache');
    checks.count('astra', false, 'backend');
    const shown = await lines('usher_checks_total');
    expect(shown).toContain('usher_checks_total{dialect="astra",decision="allow",source="cache"} 2');
    expect(shown).toContain('usher_checks_total{dialect="astra",decision="deny",source="backend"} 1');
    expect(shown).toContain('usher_checks_total{dialect="astra",decision="allow",source="fail-open"} 0');
    expect(shown.join()).not.toContain('alta');
  });

  it('keeps no two counts in one place', async () => {
    const checks = new CheckMetrics(metrics);
    const sources: Source[] = ['hold', 'rule', 'cache', 'session', 'backend', 'direct'];
    sources.push('stale', 'known', 'fail-open', 'fail-closed', 'overload');
    for (const dialect of ['astra', 'alta'] as const)
      for (const allow of [true, false]) for (const source of sources) checks.count(dialect, allow, source);
    const shown = await lines('usher_checks_total');
    expect(shown).toHaveLength(44);
    expect(shown.every((line) => line.endsWith(' 1'))).toBe(true);
  });

  it('shows each rung’s latency as a histogram in seconds', async () => {
    const checks = new CheckMetrics(metrics);
    checks.rung('backend').observe(3);
    checks.rung('backend').observe(9_000);
    const shown = await lines('usher_check_duration_seconds');
    expect(shown).toContain('usher_check_duration_seconds_bucket{source="backend",le="0.0025"} 0');
    expect(shown).toContain('usher_check_duration_seconds_bucket{source="backend",le="0.005"} 1');
    expect(shown).toContain('usher_check_duration_seconds_bucket{source="backend",le="+Inf"} 2');
    expect(shown).toContain('usher_check_duration_seconds_sum{source="backend"} 9.003');
    expect(shown).toContain('usher_check_duration_seconds_count{source="backend"} 2');
  });

  it('times one answer from memory of many, which stands for all of them', async () => {
    const checks = new CheckMetrics(metrics);
    let timed = 0;
    for (let answer = 0; answer < 640; answer += 1) {
      const { isTimed } = checks;
      checks.hit();
      if (!isTimed) continue;
      timed += 1;
      checks.timed('cache', 0.02);
    }
    expect(timed).toBe(10);
    const shown = await lines('usher_check_duration_seconds');
    expect(shown).toContain('usher_check_duration_seconds_bucket{source="cache",le="0.00005"} 640');
    expect(shown).toContain('usher_check_duration_seconds_count{source="cache"} 640');
    const sum = shown.find((line) => line.startsWith('usher_check_duration_seconds_sum{source="cache"}'))!;
    expect(Number(sum.split(' ')[1])).toBeCloseTo(0.0128);
  });

  it('shows hits and misses of the decision cache', async () => {
    const checks = new CheckMetrics(metrics);
    checks.hit();
    checks.hit();
    checks.miss();
    expect(await lines('usher_cache_lookups_total')).toEqual([
      'usher_cache_lookups_total{result="hit"} 2',
      'usher_cache_lookups_total{result="miss"} 1',
    ]);
  });
});

describe('Latency', () => {
  it('counts each observation in exactly the buckets at and above it', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 10_000, noNaN: true })), (times) => {
        const latency = new Latency();
        for (const ms of times) latency.observe(ms);
        for (const { le, count } of latency.buckets()) {
          expect(count).toBe(times.filter((ms) => ms / 1_000 <= le || ms <= le * 1_000).length);
        }
        expect(latency.count).toBe(times.length);
      }),
    );
  });

  it('holds a bounded number of label values; the rest is other', () => {
    const family = new LatencyFamily(2);
    for (const value of ['a', 'b', 'c', 'd']) family.of(value).observe(1);
    expect(Array.from(family.entries(), ([value, { count }]) => [value, count])).toEqual([
      ['a', 1],
      ['b', 1],
      ['other', 2],
    ]);
  });
});
