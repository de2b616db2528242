import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '#usher/config';
import { KeptLog } from '../for-tests.js';
import { WatchedFile, type FileKind } from './watched-file.js';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'usher-files-'));
  path = join(folder, 'list');
});
afterEach(() => rm(folder, { recursive: true }));

const KIND: FileKind<string> = {
  what: 'the list',
  maxBytes: 100,
  read: (bytes, name) => {
    if (bytes.includes('bad')) throw new ConfigError([`${name}:1: bad`]);
    return bytes.toString();
  },
};

async function opened(text: string): Promise<{ file: WatchedFile<string>; log: KeptLog }> {
  await writeFile(path, text);
  const log = new KeptLog();
  return { file: await WatchedFile.open(path, KIND, log), log };
}

describe('a watched file', () => {
  it('is read again when it changed and then stood still', async () => {
    const { file } = await opened('one');
    expect(await file.look()).toBe(false);
    await writeFile(path, 'two');
    expect(await file.look()).toBe(false);
    expect(file.current).toBe('one');
    expect(await file.look()).toBe(true);
    expect(file.current).toBe('two');
    expect(await file.look()).toBe(false);
  });

  it('that is still being written is not read', async () => {
    const { file } = await opened('one');
    for (const part of ['t', 'tw', 'two']) {
      await writeFile(path, part);
      expect(await file.look()).toBe(false);
    }
    expect(file.current).toBe('one');
    expect(await file.look()).toBe(true);
    expect(file.current).toBe('two');
  });

  it('may be replaced by another of the same size and age', async () => {
    const { file } = await opened('one');
    await writeFile(`${path}.new`, 'two');
    await rename(`${path}.new`, path);
    await file.look();
    expect(await file.look()).toBe(true);
    expect(file.current).toBe('two');
  });

  it('that is broken leaves the version before in force, and is told of once', async () => {
    const { file, log } = await opened('one');
    await writeFile(path, 'bad');
    for (let looks = 0; looks < 4; looks += 1) expect(await file.look()).toBe(false);
    expect(file.current).toBe('one');
    expect(log.lines).toEqual([
      {
        level: 'error',
        fields: { file: path, why: `${path}:1: bad` },
        message: 'the list cannot be used: the version before stays in force',
      },
    ]);
    await writeFile(path, 'good');
    await file.look();
    expect(await file.look()).toBe(true);
    expect(file.current).toBe('good');
  });

  it('that is gone, or too large, leaves the version before in force', async () => {
    const { file, log } = await opened('one');
    await rm(path);
    for (let looks = 0; looks < 3; looks += 1) await file.look();
    expect(log.lines).toHaveLength(1);
    await writeFile(path, 'x'.repeat(101));
    for (let looks = 0; looks < 3; looks += 1) await file.look();
    expect(log.lines.at(-1)!.fields.why).toContain('larger than 100 bytes');
    expect(log.lines).toHaveLength(2);
    expect(file.current).toBe('one');
  });

  it('has to be there at first', async () => {
    await expect(WatchedFile.open(path, KIND, new KeptLog())).rejects.toThrow(`there is no file ${path}`);
    await expect(WatchedFile.open(folder, KIND, new KeptLog())).rejects.toThrow(ConfigError);
  });
});
