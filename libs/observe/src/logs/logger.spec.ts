import fc from 'fast-check';
import { createLogger } from './logger.js';
import type { LogSettings } from './logger.js';

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

function capture(settings: LogSettings = { level: 'debug', format: 'json' }) {
  const lines: string[] = [];
  const log = createLogger(settings, { name: 'gateway', stream: { write: (line) => void lines.push(line) } });
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with level and time that people can read', () => {
    const { log, lines, last } = capture();
    log.info({ edge: 'astra-1', tookMs: 12.5, cached: true }, 'answered');
    expect(lines).toHaveLength(1);
    expect(last()).toMatchObject({
      level: 'info',
      name: 'gateway',
      edge: 'astra-1',
      tookMs: 12.5,
      cached: true,
      msg: 'answered',
    });
    expect(new Date(String(last()['time'])).getTime()).toBeGreaterThan(0);
  });

  it('writes nothing below its level', () => {
    const { log, lines } = capture({ level: 'warn', format: 'json' });
    log.debug({}, 'no');
    log.info({}, 'no');
    log.warn({}, 'yes');
    log.error({}, 'yes');
    expect(lines).toHaveLength(2);
  });

  it('writes readable lines with the fields behind the sentence', () => {
    const { log, lines } = capture({ level: 'info', format: 'text' });
    log.warn({ backend: 'portal' }, 'backend suspended');
    expect(lines.at(-1)).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d+\] WARN \(gateway\): backend suspended .*portal.*\n$/,
    );
  });

  it('masks secrets by the name of their field, at any depth', () => {
    const { log, lines, last } = capture();
    log.info(
      {
        query: 'token=s3cret&mac=s3cret',
        password: 's3cret',
        headers: { Authorization: 'Basic s3cret', cookie: 's3cret', 'x-api-key': 's3cret' },
        redis: { url: 'redis://user:s3cret@10.0.0.1:6379/0' },
        list: [{ token: 12345 }],
        address: new URL('http://a/b?token=s3cret'),
      },
      'asked http://user:s3cret@portal/x?token=s3cret',
    );
    expect(lines.at(-1)).not.toMatch(/s3cret|12345/);
    expect(last()).toMatchObject({
      query: 'token=***&mac=***',
      redis: { url: 'redis://***@10.0.0.1:6379/0' },
      msg: 'asked http://***@portal/x?token=***',
    });
  });

  it('writes errors with their causes and frames, masked', () => {
    const { log, lines, last } = capture();
    const cause = Object.assign(new Error('connect ECONNREFUSED redis://:s3cret@h'), {
      code: 'ECONNREFUSED',
    });
    log.error({ err: new TypeError('GET http://p/x?token=s3cret\nat forged', { cause }) }, 'failed');
    expect(lines.at(-1)).not.toContain('s3cret');
    const err = last()['err'] as { type: string; message: string; stack: string[]; cause: unknown };
    expect(err).toMatchObject({ type: 'TypeError', cause: { code: 'ECONNREFUSED' } });
    expect(err.stack[0]).toMatch(/^at .*logger\.spec/);
  });

  it('never writes a control character, whatever keys and values come', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
    );
    const { log, lines, last } = capture();
    fc.assert(
      fc.property(
        fc.dictionary(hostile, fc.anything({ key: hostile, maxDepth: 3 })),
        hostile,
        (fields, words) => {
          const error = Object.assign(new Error(words), { code: words, name: words });
          log.info({ ...fields, words, [words]: 1, nested: [{ [words]: words }], err: error }, words);
          const line = lines.at(-1)!;
          expect(line.endsWith('\n')).toBe(true);
          expect(line.slice(0, -1)).not.toMatch(CONTROLS);
          expect(last()).toMatchObject({ level: 'info', name: 'gateway' });
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never writes a control character as text either', () => {
    const lines: string[] = [];
    const log = createLogger(
      { level: 'info', format: 'text' },
      { name: 'x', stream: { write: (line) => void lines.push(line) } },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (words) => {
        log.info({ [words]: words, nested: { list: [words] } }, words);
        // One line, one entry: nobody outside can write a second one.
        expect(lines.at(-1)!.slice(0, -1)).not.toMatch(CONTROLS);
        log.info({ err: new Error(words) }, words);
        expect(lines.at(-1)!.replaceAll('\n', '')).not.toMatch(CONTROLS);
      }),
    );
  });

  it('cannot be made to lose its own fields or to write a line twice as long', () => {
    const { log, lines, last } = capture();
    log.info({ level: 'error', msg: 'forged', time: 0, name: 'forged' }, 'true');
    expect(last()).toMatchObject({ level: 'info', msg: 'true', name: 'gateway', level_: 'error' });
    expect(lines.at(-1)!.match(/"level":/g)).toHaveLength(1);
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    log.info({ loop, long: 'x'.repeat(1e6), many: Array.from({ length: 1e5 }, () => 'y'.repeat(100)) }, 'z');
    expect(lines.at(-1)!.length).toBeLessThan(100_000);
  });

  it('reads UTF-8 that came as bytes, and leaves text alone', () => {
    const { log, last } = capture();
    log.info({ channel: Buffer.from('Канал', 'utf8').toString('latin1'), name2: 'Канал' }, 'x');
    expect(last()).toMatchObject({ channel: 'Канал', name2: 'Канал' });
  });

  it('survives a field that throws when it is read', () => {
    const { log, last } = capture();
    log.info(
      {
        deep: {
          get bad() {
            throw new Error('no');
          },
        },
      },
      'x',
    );
    expect(last()).toMatchObject({ deep: { bad: '[unreadable]' }, msg: 'x' });
  });

  it('gives a child whose fields are on every line', () => {
    const { log, last } = capture();
    log.child({ role: 'worker' }).child({ backend: 'portal' }).info({ n: 1 }, 'x');
    expect(last()).toMatchObject({ role: 'worker', backend: 'portal', n: 1 });
  });
});
