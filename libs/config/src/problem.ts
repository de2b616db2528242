import { showPath, type SettingPath } from './shape.js';

/** Something wrong in the configuration, at a setting. The place in file or environment is added when it is shown. */
export interface Problem {
  readonly path: SettingPath;
  /** What is wrong and what is allowed. */
  readonly message: string;
}

/** The configuration cannot be used. `problems` has a line each, with file and line, or the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** `usher.yaml:12: gateway.lisen: unknown key …` */
export function showProblem(problem: Problem, place: string): string {
  const setting = showPath(problem.path);
  return [place, setting, problem.message].filter((part) => part !== '').join(': ');
}
