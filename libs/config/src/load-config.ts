import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { AUTH_PROXY_NOTES, isAuthProxy, translateAuthProxy } from './auth-proxy.js';
import { parseConfigFile, type ConfigFile } from './config-file.js';
import { crossCheck, crossWarnings } from './cross-checks.js';
import { readEnvironment, type Assignment } from './environment.js';
import { explain } from './explain.js';
import { ConfigError, showProblem, type Problem } from './problem.js';
import { configSchema, type Config } from './schema.js';
import { ruleFiles, withRuleFiles } from './rule-files.js';
import type { SettingPath } from './shape.js';

export interface LoadConfigInput {
  readonly argv?: { readonly config?: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths, of the file and in it, start here. */
  readonly cwd: string;
}

export interface LoadedConfig {
  /** Frozen through and through; its records inherit nothing. */
  readonly config: Config;
  /** Lines for the log at start. */
  readonly warnings: readonly string[];
  /** The file that was read, absolute; undefined: there is none. */
  readonly path?: string;
}

const DEFAULT_FILE = 'usher.yaml';

/**
 * Reads the file (`--config`, else USHER_CONFIG, else ./usher.yaml if there), lays the environment over it and checks
 * the whole. Reads files, and nothing else that is not in its input.
 * @throws ConfigError with every problem: file and line or variable, setting, what is wrong, what is allowed.
 */
export function loadConfig({ argv = {}, env, cwd }: LoadConfigInput): LoadedConfig {
  const file = readConfigFile(argv.config ?? (env.USHER_CONFIG || undefined), cwd);
  const fromAuthProxy = file !== undefined && isAuthProxy(file.data);
  const fileData = fromAuthProxy ? translateAuthProxy(file.data, file) : withoutEmpty(file?.data ?? {});
  const { assignments, problems } = readEnvironment(
    { env, readFile: (path) => readFileSync(resolve(cwd, path), 'utf8') },
    configSchema,
  );
  const data = overlay(fileData, assignments);
  const place = placeOf(file, assignments);
  const show = (problem: Problem): string => showProblem(problem, place(problem.path));

  const parsed = configSchema.safeParse(data);
  if (!parsed.success) {
    throw new ConfigError([...explain(parsed.error.issues, configSchema, data).map(show), ...problems]);
  }
  const config = resolvePaths(parsed.data, cwd);
  const crossed = [...crossCheck(config), ...missingFiles(config)];
  if (crossed.length > 0 || problems.length > 0) throw new ConfigError([...crossed.map(show), ...problems]);
  return {
    config: freeze(config),
    warnings: [
      ...(fromAuthProxy ? AUTH_PROXY_NOTES.map((note) => `${file.name}: ${note}`) : []),
      ...crossWarnings(config).map(show),
    ],
    path: file && resolve(cwd, file.name),
  };
}

function readConfigFile(asked: string | undefined, cwd: string): ConfigFile | undefined {
  const name = asked ?? DEFAULT_FILE;
  const path = resolve(cwd, name);
  if (asked === undefined && !existsSync(path)) return undefined;
  try {
    return parseConfigFile(name, readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new ConfigError([
      `${name}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`,
    ]);
  }
}

/** `gateway:` with nothing below is as good as not there. */
function withoutEmpty(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(withoutEmpty);
  if (data === null || typeof data !== 'object') return data;
  const full = Object.entries(data).filter(([, value]) => value !== null);
  return Object.fromEntries(full.map(([key, value]) => [key, withoutEmpty(value)]));
}

/** Lays the variables over the file's data, which is left as it is. Maps that are missing on the way are made. */
function overlay(data: unknown, assignments: readonly Assignment[]): unknown {
  return assignments.reduce<unknown>((whole, { path, value }) => withValue(whole, path, value), data ?? {});
}

function withValue(node: unknown, [key, ...rest]: SettingPath, value: unknown): unknown {
  if (key === undefined) return value;
  const map = node !== null && typeof node === 'object' && !Array.isArray(node) ? node : {};
  const inner = Object.hasOwn(map, key) ? (map as Record<string | number, unknown>)[key] : undefined;
  return { ...map, [key]: withValue(inner, rest, value) };
}

/** Where a setting was written: the variable that gave it, else the file's line. */
function placeOf(
  file: ConfigFile | undefined,
  assignments: readonly Assignment[],
): (path: SettingPath) => string {
  const isWithin = (path: SettingPath, around: SettingPath) => around.every((part, at) => part === path[at]);
  return (path) => {
    const given = assignments.findLast((one) => isWithin(path, one.path));
    if (given !== undefined) return given.variable;
    // What is missing has no place of its own: what began the map around it has.
    const around = path.slice(0, -1);
    const beside = around.length > 0 && assignments.find((one) => isWithin(one.path, around));
    if (beside && !file?.has(around)) return beside.variable;
    return file?.place(path) ?? '';
  };
}

/** `data`, certificate files and what rules read become absolute. */
function resolvePaths(config: Config, cwd: string): Config {
  const withCa = <T extends { ca?: string }>(one: T): T =>
    one.ca === undefined ? one : { ...one, ca: resolve(cwd, one.ca) };
  const backends = Object.entries(config.backends).map(([name, backend]) => [name, withCa(backend)]);
  return {
    ...config,
    data: resolve(cwd, config.data),
    redis: withCa(config.redis),
    backends: Object.fromEntries(backends) as Config['backends'],
    routes: config.routes.map((route) =>
      route.rules === undefined ? route : { ...route, rules: withRuleFiles(route.rules, cwd) },
    ),
  };
}

function missingFiles({ redis, backends, routes }: Config): Problem[] {
  const files: [SettingPath, string | undefined][] = [
    [['redis', 'ca'], redis.ca],
    ...Object.entries(backends).map(([name, { ca }]): [SettingPath, string | undefined] => [
      ['backends', name, 'ca'],
      ca,
    ]),
    ...routes.flatMap(({ rules }, at) =>
      ruleFiles(rules).map(([path, file]): [SettingPath, string] => [['routes', at, 'rules', ...path], file]),
    ),
  ];
  return files
    .filter(([, file]) => file !== undefined && !existsSync(file))
    .map(([path, file]) => ({ path, message: `there is no file ${file}` }));
}

/** Frozen, and without a prototype: a name from the wire, `constructor` say, finds nothing. */
function freeze<T>(value: T): T {
  if (value === null || typeof value !== 'object') return value;
  for (const inner of Object.values(value)) freeze(inner);
  if (!Array.isArray(value)) Object.setPrototypeOf(value, null);
  return Object.freeze(value);
}
