import { Command, CommanderError } from 'commander';
import { ConfigError, loadConfig, maskConfig, type Config } from '#usher/config';
import { silentLog } from '#usher/domain';
import { accountLine, createRules } from '#usher/rules';
import { stringify } from 'yaml';
import { startDemoBackend } from './demo/demo-backend.js';
import { start, StartError, type RoleTable, type Selection, type Started } from './start.js';
import { usherVersion } from './version.js';

/** What a command needs of the process that it runs in. */
export interface Surroundings {
  /** What follows the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when the process is asked to end. */
  readonly untilAskedToEnd: () => Promise<void>;
  /** All of standard input, to its end. */
  readonly readInput: () => string;
}

const ROLES = ['all', 'gateway', 'worker', 'control'];

/** Runs one command to its end. Resolves with the exit code; what it has to say about failures is said. */
export async function runCommand(surroundings: Surroundings, roles: RoleTable): Promise<number> {
  try {
    await program(surroundings, roles).parseAsync([...surroundings.argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    surroundings.err(sayError(error));
    return 1;
  }
}

function sayError(error: unknown): string {
  if (error instanceof ConfigError) return `The configuration cannot be used:\n${indent(error.problems)}\n`;
  if (error instanceof StartError) return `usher: ${error.message}\n`;
  return `usher: ${error instanceof Error ? error.message : String(error)}\n`;
}

const indent = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n');

interface ConfigOption {
  readonly config?: string;
}

interface HashOption {
  readonly token?: true;
  readonly max?: string;
}

function program(
  { out, err, env, cwd, untilAskedToEnd, readInput }: Surroundings,
  roles: RoleTable,
): Command {
  const usher = new Command('usher')
    .description('Answers streaming servers: may this viewer play this channel?')
    .version(usherVersion(), '-v, --version')
    .showHelpAfterError()
    .exitOverride()
    .configureOutput({ writeOut: out, writeErr: err });
  const withConfig = (command: Command): Command =>
    command.option('-c, --config <file>', 'the configuration (default: USHER_CONFIG, else ./usher.yaml)');

  withConfig(usher.command('start'))
    .description('run Usher: everything in one process, or one kind of process of a cluster')
    .addArgument(usher.createArgument('[what]', ROLES.join(', ')).choices(ROLES).default('all'))
    .option('-y, --yes', 'ask nothing (for npm start, which may install Redis)')
    .action(async (what: Selection, argv: ConfigOption) => {
      const started = await start(what, { argv, env, cwd }, roles);
      if (started.notes !== undefined) out(started.notes);
      await ended(started, untilAskedToEnd);
    });

  const config = usher.command('config').description('check or show the configuration');
  withConfig(config.command('check'))
    .description('say what is wrong, with file and line')
    .action(async (argv: ConfigOption) => {
      const { config: found, path, warnings } = loadConfig({ argv, env, cwd });
      await checkRuleFiles(found);
      if (warnings.length > 0) out(`Probably not meant:\n${indent(warnings)}\n`);
      const counts = (['edges', 'backends', 'groups', 'routes'] as const).map(
        (key) => `${Object.keys(found[key]).length} ${key}`,
      );
      out(`${path ?? 'No file'}: the configuration is good: ${counts.join(', ')}.\n`);
    });
  withConfig(config.command('show'))
    .description('print it as Usher understands it, defaults and environment included, without secrets')
    .action((argv: ConfigOption) => {
      out(stringify(maskConfig(loadConfig({ argv, env, cwd }).config)));
    });

  usher
    .command('hash')
    .argument('<name>', 'the login, or whose token it is')
    .option('--token', 'a static token instead of a password')
    .option('--max <devices>', 'so many devices at once')
    .description('print a line for rules.users; reads the password from standard input')
    .action((name: string, { token, max }: HashOption) => {
      const secret = readInput().replace(/\r?\n$/, '');
      const line = accountLine({ name, secret, kind: token === true ? 'token' : 'password', max });
      out(`${line}\n`);
    });
  usher
    .command('demo-backend')
    .description('run the demo backend alone, on all addresses: it lets in token=123')
    .action(async () => {
      const demo = await startDemoBackend({ host: '0.0.0.0' });
      out(`The demo backend answers ${demo.origin}/check.\n`);
      await untilAskedToEnd();
      await demo.close();
    });
  usher
    .command('version')
    .description('print the version')
    .action(() => out(`${usherVersion()}\n`));
  return usher;
}

/** What rules read is looked through as at a start: lists, databases, keys. */
async function checkRuleFiles(config: Config): Promise<void> {
  const clock = { monotonic: () => performance.now(), now: () => Date.now() };
  await createRules(config, { clock, log: silentLog, isDry: true });
}

async function ended(started: Started, untilAskedToEnd: () => Promise<void>): Promise<void> {
  await untilAskedToEnd();
  await started.close();
}
