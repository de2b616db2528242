import { loadConfig, type Config, type LoadConfigInput, type LoadedConfig } from '#usher/config';
import type { Log } from '#usher/domain';
import { HealthServer } from '#usher/observe';
import { isUnconfigured, startDemo } from './demo/demo.js';
import { demoNotes } from './demo/demo-notes.js';
import { listenComplaint } from './listen-error.js';
import type { RoleName, RunningRole, Runtime, StartRole } from './role.js';
import { startRuntime } from './runtime.js';

export type RoleTable = Readonly<Record<RoleName, StartRole>>;

/** What `usher start` runs. */
export type Selection = 'all' | RoleName;

/** Answers go on so long with `Connection: close` before the port closes, ms: a reset is an allow at an Astra. */
const DRAIN = 5_000;

/** Workers first, so that the first check finds one; ended in the opposite order, so that the last does too. */
const ORDER: readonly RoleName[] = ['worker', 'gateway', 'control'];

/** A running Usher. */
export interface Started {
  /** What to show to a person who started it by hand; undefined: nothing. */
  readonly notes: string | undefined;
  /** Ends everything, gracefully. Safe to call once. */
  close(): Promise<void>;
}

/** A start that cannot be: its message is all that a person needs. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/**
 * Starts one role or all in this process, with the demo backend where nothing is configured.
 * @throws {ConfigError | StartError} with sentences for the operator; nothing is left running then.
 */
export async function start(
  selection: Selection,
  input: LoadConfigInput,
  roles: RoleTable,
): Promise<Started> {
  const plain = loadConfig(input);
  if (!isUnconfigured(plain)) return startConfigured(selection, plain, roles);
  if (selection !== 'all') {
    throw new StartError(
      `nothing is configured: a ${selection} needs backends, in usher.yaml or the environment (see usher.example.yaml)`,
    );
  }
  const { demo, loaded } = await startDemo(input);
  try {
    const started = await startConfigured(selection, loaded, roles, { drainMs: 0 });
    return {
      notes: demoNotes(started.config, demo.origin),
      close: async () => {
        await started.close();
        await demo.close();
      },
    };
  } catch (error) {
    await demo.close();
    throw error;
  }
}

async function startConfigured(
  selection: Selection,
  { config: configured, warnings }: LoadedConfig,
  roles: RoleTable,
  { drainMs } = { drainMs: DRAIN },
): Promise<Started & { config: Config }> {
  const names = ORDER.filter((role) => selection === 'all' || role === selection);
  const runtime = await startRuntime(configured, selection === 'all' ? 'usher' : selection, names);
  const { config, log, node } = runtime;
  const running: RunningRole[] = [];
  let health: HealthServer | undefined;
  const close = async (): Promise<void> => {
    health?.setDraining();
    // Health answers to the end of the roles.
    const steps = [...running.map((role) => () => role.close({ drainMs })).reverse(), () => health?.close()];
    for (const step of steps) await attempt(step, log);
    await runtime.close();
  };
  try {
    for (const warning of warnings) log.warn({}, warning);
    for (const name of names) running.push(await roles[name](runtime));
    health = await startHealth(selection, running, runtime);
    log.info({ roles: selection, version: node.version, node: node.id }, 'started');
    return { config, notes: undefined, close };
  } catch (error) {
    await close();
    const complaint = listenComplaint(error, config);
    throw complaint === undefined ? error : new StartError(complaint, { cause: error });
  }
}

/** A step of the end that fails must not keep the others from happening. */
async function attempt(step: () => Promise<void> | undefined, log: Log): Promise<void> {
  try {
    await step();
  } catch (error) {
    log.error({ err: error }, 'a part did not end well');
  }
}

async function startHealth(
  selection: Selection,
  running: readonly RunningRole[],
  { config, metrics, log }: Runtime,
): Promise<HealthServer> {
  const name = selection === 'all' ? 'gateway' : selection;
  const server = new HealthServer({
    address: config.health[name],
    setting: `health.${name}`,
    contributions: running.map(({ health }) => health),
    metrics,
    log,
  });
  await server.listen();
  return server;
}
