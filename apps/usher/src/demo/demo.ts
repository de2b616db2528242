import type { LoadConfigInput, LoadedConfig } from '#usher/config';
import { loadConfig } from '#usher/config';
import { startDemoBackend, type DemoBackend } from './demo-backend.js';
import { DEMO_BACKEND } from './demo-notes.js';

/** Nobody said whom to ask. */
export function isUnconfigured({ config, path }: LoadedConfig): boolean {
  return path === undefined && Object.keys(config.backends).length === 0 && config.routes.length === 0;
}

/** Starts the demo backend, and has the configuration lead to it: what a file with this one backend would be. */
export async function startDemo(
  input: LoadConfigInput,
): Promise<{ demo: DemoBackend; loaded: LoadedConfig }> {
  const demo = await startDemoBackend();
  const setting = `USHER_BACKENDS__${DEMO_BACKEND.toUpperCase()}`;
  const loaded = loadConfig({
    ...input,
    env: { ...input.env, [setting]: `{type: http, url: '${demo.origin}/check', credential: reusable}` },
  });
  return { demo, loaded };
}
