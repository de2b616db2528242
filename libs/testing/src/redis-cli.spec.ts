import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { freePort } from './free-port.js';
import { askRedis } from './redis-cli.js';
import { startRedis } from './redis-process.js';
import type { RedisProcess } from './redis-process.js';

let redis: RedisProcess;
beforeAll(async () => (redis = await startRedis()));
afterAll(() => redis.stop());

/** What the program prints, redis-cli or valkey-cli. */
const printed = async (...args: string[]): Promise<string> => {
  const cli = 'exec "$(command -v redis-cli || command -v valkey-cli)" "$@"';
  const { stdout } = await promisify(execFile)('sh', ['-c', cli, 'sh', '-p', String(redis.port), ...args]);
  return stdout.trimEnd();
};

const ask = (...args: string[]): Promise<string> => askRedis(redis.port, args);

describe('askRedis', () => {
  it('prints what redis-cli prints', async () => {
    await ask('SET', 'text', 'a "quoted" line\nand Ünïcode\r\n');
    await ask('XADD', 'stream', '1-1', 'm', 'x', 'n', 'y');
    await ask('XADD', 'stream', '1-2', 'm', 'z');
    for (const args of [
      ['GET', 'text'],
      ['GET', 'nothing'],
      ['LRANGE', 'nothing', '0', '-1'],
      ['HMGET', 'nothing', 'one', 'two'],
      ['XRANGE', 'stream', '-', '+'],
      ['EVAL', "return {1, {'a', '', {}, {false, 'b'}}, redis.status_reply('FINE')}", '0'],
      ['LPUSH', 'text', 'x'],
    ]) {
      expect([args, await ask(...args)]).toEqual([args, await printed(...args)]);
    }
  });

  it('reads an answer of many parts, and one that comes byte by byte', async () => {
    const big = 'x'.repeat(300_000);
    await ask('SET', 'big', big);
    expect(await ask('MGET', 'big', 'big')).toBe(`${big}\n${big}`);

    const server = createServer((socket) => {
      socket.setNoDelay(true);
      socket.once('data', () => {
        void (async () => {
          for (const byte of Buffer.from('*3\r\n$2\r\nü\r\n:12\r\n*2\r\n$-1\r\n+OK\r\n')) {
            await new Promise((written) => socket.write(Buffer.of(byte), written));
          }
        })();
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    expect(await askRedis((server.address() as AddressInfo).port, ['ANY'])).toBe('ü\n12\n\nOK');
    server.close();
  });

  it('rejects where nobody listens, and where the connection ends instead of an answer', async () => {
    await expect(askRedis(await freePort(), ['PING'])).rejects.toThrow('ECONNREFUSED');
    await expect(ask('SHUTDOWN', 'NOSAVE')).rejects.toThrow(/the connection ended|ECONNRESET/);
    await redis.restart();
  });
});
