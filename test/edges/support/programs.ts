import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program of this test alone that runs. */
export interface Running {
  readonly hasEnded: boolean;
  /** Resolves with its exit code when it has ended. */
  readonly ended: Promise<number | null>;
  /** All that it wrote so far. */
  output(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a program in the foreground; none outlives the tests. */
export function start(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
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
    get hasEnded() {
      return !running.has(child);
    },
    ended,
    output: () => output,
    stop: async (signal = 'SIGKILL') => {
      child.kill(signal);
      await ended;
    },
  };
}

/** A command without quotes: its words are parted by spaces, and `{}` is what is put in. */
export function run(command: string, put: string): Running {
  const [program = '', ...args] = command.split(' ').map((word) => (word === '{}' ? put : word));
  return start(program, args);
}

export function hasFfmpeg(): boolean {
  return ['ffmpeg', 'ffprobe'].every((name) => spawnSync(name, ['-version']).status === 0);
}

/** Somebody listens there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
