import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** Where figures come from; no paths and no host's name. */
export function machine(): Readonly<Record<string, unknown>> {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()} ${process.arch}`,
    /** Others at work make figures worse: 1-minute load before the first one. */
    loadBefore: Math.round(loadavg()[0]! * 100) / 100,
  };
}

export function versions(): Readonly<Record<string, string>> {
  return {
    node: process.versions.node,
    redis: /v=(\S+)/.exec(said('redis-server', '--version'))?.[1] ?? 'unknown',
    commit: said('git', 'rev-parse', '--short', 'HEAD') || 'unknown',
  };
}

/** What a program prints; empty where there is none. */
function said(program: string, ...args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
