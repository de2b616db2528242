import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from './folder-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'usher-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('lockFolder', () => {
  it('is held by one until it is released', async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(`(process ${process.pid})`);
    await lock.release();
    await (await lockFolder(folder)).release();
  });

  it('is free again when its owner was killed', async () => {
    const path = join(folder, 'usher.lock');
    const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('held'))`;
    const owner = spawn(process.execPath, ['-e', code]);
    await once(owner.stdout, 'data');
    owner.kill('SIGKILL');
    await once(owner, 'exit');
    expect(existsSync(path)).toBe(true);
    await (await lockFolder(folder)).release();
  });

  it('is held by an owner that is too busy to say who it is', async () => {
    const path = join(folder, 'usher.lock');
    const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('held'))`;
    const owner = spawn(process.execPath, ['-e', code]);
    await once(owner.stdout, 'data');
    owner.kill('SIGSTOP');
    await expect(lockFolder(folder)).rejects.toThrow('in use by another Usher');
    owner.kill('SIGKILL');
    await once(owner, 'exit');
  });

  it('works for a folder whose path is longer than a socket’s may be', async () => {
    const deep = join(folder, 'a'.repeat(100), 'b'.repeat(100));
    mkdirSync(deep, { recursive: true });
    const lock = await lockFolder(deep);
    await expect(lockFolder(deep)).rejects.toThrow('in use');
    await lock.release();
  });
});
