import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const MAIN = resolve('dist/usher/main.js');

/** A real `usher` of this test alone. */
export interface Program {
  readonly pid: number;
  /** All that it wrote so far. */
  output(): string;
  /** Resolves with its exit code (null for a signal) as soon as it has ended. */
  readonly ended: Promise<number | null>;
  readonly hasEnded: boolean;
  signal(signal: NodeJS.Signals): void;
}

export interface Surroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs `usher <args>`. */
export function runUsher(args: readonly string[], surroundings: Surroundings = {}): Program {
  return runProgram(MAIN, args, surroundings);
}

/** Runs a JavaScript file. */
export function runProgram(file: string, args: readonly string[], { cwd, env }: Surroundings = {}): Program {
  const child = spawn(process.execPath, [file, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const ended = once(child, 'close').then(() => {
    running.delete(child);
    return child.exitCode;
  });
  return {
    pid: child.pid!,
    output: () => output,
    ended,
    get hasEnded() {
      return !running.has(child);
    },
    signal: (signal) => void child.kill(signal),
  };
}
