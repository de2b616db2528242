import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Whatever ends a benchmark, no process stays behind. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

/** A process of a benchmark. */
export interface Child {
  readonly process: ChildProcess;
  /** All that it wrote on standard output and error so far. */
  output(): string;
  /** Resolves with its next message. Rejects when it ends instead. */
  message(): Promise<unknown>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface NodeOptions {
  readonly execArgv?: readonly string[];
  readonly cwd?: string;
}

/** Runs a Node program with a channel for messages, on which it also notices that we are gone. */
export function startNode(
  program: URL,
  args: readonly string[],
  { execArgv = [], cwd }: NodeOptions = {},
): Child {
  return child(
    fork(fileURLToPath(program), [...args], {
      execArgv: [...execArgv],
      cwd,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    }),
  );
}

/** Runs any program. */
export function startProgram(command: string, args: readonly string[], cwd: string): Child {
  return child(spawn(command, [...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] }));
}

function child(process: ChildProcess): Child {
  running.add(process);
  let output = '';
  for (const stream of [process.stdout, process.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const gone = once(process, 'close').finally(() => running.delete(process));
  gone.catch(() => undefined);
  return {
    process,
    output: () => output,
    message: () =>
      new Promise((resolve, reject) => {
        const listening = new AbortController();
        const settle = (act: () => void): void => {
          listening.abort();
          act();
        };
        const { signal } = listening;
        process.once('message', (message) => settle(() => resolve(message)));
        void once(process, 'exit', { signal }).then(
          () => settle(() => reject(new Error(`a process of the benchmark ended:\n${output}`))),
          () => undefined,
        );
      }),
    kill: async () => {
      process.kill('SIGKILL');
      await gone.catch(() => undefined);
    },
  };
}
