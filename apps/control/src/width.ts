import type { BackendConfig } from '#usher/config';

/** Of a backend's calls: the rest is left for first checks, which wait for no place. */
const SHARE = 0.5;

/**
 * Questions that one process may have under way at once: as many as keep to the pace though each answer takes the backend's
 * whole time, and no more than are this process's part of half its calls.
 */
export function widthOf(
  backend: Pick<BackendConfig, 'timeout' | 'maxCalls'> | undefined,
  pace: number,
  controls = 1,
): number {
  const { timeout, maxCalls } = backend ?? { timeout: 0, maxCalls: 0 };
  const most = Math.floor((maxCalls * SHARE) / Math.max(1, controls));
  return Math.max(1, Math.min(Math.ceil((pace * timeout) / 1_000), most));
}
