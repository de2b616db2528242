import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineOutput } from './line-output.js';

let folder: string;
let pipe: { reader: number; writer: number };
let isRead: boolean;
let output: LineOutput;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'usher-lines-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  pipe = { reader, writer: openSync(path, constants.O_WRONLY | constants.O_NONBLOCK) };
  isRead = true;
});
afterEach(() => {
  leave();
  // It sees that its reader is gone: what it would write later would go to whoever has the descriptor then.
  output.flush();
  closeSync(pipe.writer);
  rmSync(folder, { recursive: true });
});

const outputTo = (maxBuffered?: number): LineOutput => (output = new LineOutput(pipe.writer, maxBuffered));

/** The reader goes. Once: a descriptor closed again is another thread's by then. */
function leave(): void {
  if (isRead) closeSync(pipe.reader);
  isRead = false;
}

/** Reads what is there, and what comes while there is anything, until `enough`. */
async function readUntil(enough: (text: string) => boolean): Promise<string> {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  for (const until = Date.now() + 10_000; !enough(text) && Date.now() < until;) {
    try {
      text += buffer.toString('utf8', 0, readSync(pipe.reader, buffer));
    } catch {
      await sleep(1);
    }
  }
  return text;
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i} ${'x'.repeat(90)}`);

describe('LineOutput', () => {
  it('keeps lines in order and whole while its reader stalls, without waiting for it', async () => {
    outputTo();
    const lines = numbered(5_000);
    for (const line of lines) output.write(`${line}\n`);
    const text = await readUntil((all) => all.endsWith(`${lines.at(-1)}\n`));
    expect(text.split('\n').slice(0, -1)).toEqual(lines);
  });

  it('drops what goes beyond its bound, and says how much', async () => {
    outputTo(10_000);
    for (const line of numbered(5_000)) output.write(`${line}\n`);
    const text = await readUntil((all) => all.includes('dropped') && all.endsWith('\n'));
    const lines = text.split('\n').slice(0, -1);
    const { dropped } = JSON.parse(lines.at(-1)!) as { dropped: number };
    expect(dropped).toBeGreaterThan(1_000);
    expect(lines.length - 1 + dropped).toBe(5_000);
  });

  it('gives up at once when its reader is gone', () => {
    outputTo();
    for (const line of numbered(2_000)) output.write(`${line}\n`);
    leave();
    const started = performance.now();
    for (let i = 0; i < 20; i += 1) {
      output.write('more\n');
      output.flush();
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('ends its wait for a reader that stalls at exit', () => {
    outputTo();
    for (const line of numbered(2_000)) output.write(`${line}\n`);
    const started = performance.now();
    output.flush();
    expect(performance.now() - started).toBeGreaterThan(400);
  });
});
