#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { runCommand } from './cli.js';
import { ROLES } from './compose.js';
import { untilSignal } from './signals.js';

const asked = untilSignal(process, () => performance.now());

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    const [what, where] = error instanceof Error ? String(error.stack).split(/\n\s*/) : [String(error)];
    process.stderr.write(`usher: ended by an unexpected error: ${what}${where ? ` (${where})` : ''}\n`);
    process.exit(1);
  });
}

const code = await runCommand(
  {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    untilAskedToEnd: () => asked,
    readInput: () => readFileSync(0, 'utf8'),
  },
  ROLES,
);
process.exit(code);
