import { monitorEventLoopDelay } from 'node:perf_hooks';

const NANOSECONDS = 1e9;
const RESOLUTION_MS = 10;

/** The delay of the event loop since it was read last, in seconds. A loop without delay reads 0. */
export function watchEventLoop() {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  // What is measured is the interval between two ticks of a timer; the timer's own interval is no delay.
  const delay = (nanoseconds: number) =>
    Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1_000) : 0;
  return {
    read: () => {
      const rows = [
        { value: delay(delays.mean), labels: { quantile: 'mean' } },
        { value: delay(delays.percentile(99)), labels: { quantile: 'p99' } },
        { value: delay(delays.max), labels: { quantile: 'max' } },
      ];
      delays.reset();
      return rows;
    },
    stop: () => void delays.disable(),
  };
}
