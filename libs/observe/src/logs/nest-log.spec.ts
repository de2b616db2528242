import type { Log, LogFields } from '#usher/domain';
import { NestLog } from './nest-log.js';

function recorder() {
  const said: [level: string, fields: LogFields, message: string][] = [];
  const at = (level: string) => (fields: LogFields, message: string) =>
    void said.push([level, fields, message]);
  const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { said, nest: new NestLog(log) };
}

describe('NestLog', () => {
  it('keeps Nest’s start-up talk for developers', () => {
    const { said, nest } = recorder();
    nest.log('Nest application successfully started', 'NestApplication');
    expect(said).toEqual([
      ['debug', { context: 'NestApplication' }, 'Nest application successfully started'],
    ]);
  });

  it('keeps an error’s stack apart from its sentence', () => {
    const { said, nest } = recorder();
    nest.error('It broke', 'Error: It broke\n    at x (y.ts:1:1)', 'ExceptionsHandler');
    expect(said).toEqual([
      [
        'error',
        { context: 'ExceptionsHandler', details: [['Error: It broke', '    at x (y.ts:1:1)']] },
        'It broke',
      ],
    ]);
  });

  it('takes errors and objects for messages', () => {
    const { said, nest } = recorder();
    const broken = new Error('broken');
    nest.warn(broken);
    nest.fatal({ a: 1 }, 'Somewhere');
    expect(said).toEqual([
      ['warn', { err: broken }, 'broken'],
      ['error', { context: 'Somewhere', said: { a: 1 } }, 'Nest'],
    ]);
  });
});
