import { resolve } from 'node:path';
import type { RulesConfig } from './rules-schema.js';
import type { SettingPath } from './shape.js';

/** The files that rules read, with their settings. */
export function ruleFiles(rules: RulesConfig | undefined): [SettingPath, string][] {
  const all: [SettingPath, string | undefined][] = [
    [['ip', 'file'], rules?.ip?.file],
    [['countries', 'database'], rules?.countries?.database],
    [['users', 'file'], rules?.users?.file],
    [['jwt', 'file'], rules?.jwt?.file],
  ];
  return all.filter((one): one is [SettingPath, string] => one[1] !== undefined);
}

/** The same rules with files that start at `cwd`. */
export function withRuleFiles(rules: RulesConfig, cwd: string): RulesConfig {
  const { ip, countries, users, jwt } = rules;
  return {
    ...rules,
    ...(ip?.file === undefined ? {} : { ip: { ...ip, file: resolve(cwd, ip.file) } }),
    ...(countries === undefined
      ? {}
      : { countries: { ...countries, database: resolve(cwd, countries.database) } }),
    ...(users?.file === undefined ? {} : { users: { ...users, file: resolve(cwd, users.file) } }),
    ...(jwt?.file === undefined ? {} : { jwt: { ...jwt, file: resolve(cwd, jwt.file) } }),
  };
}
