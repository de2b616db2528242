import type { Log, LogFields, RuleInput } from '#usher/domain';

/** A check as rules see it. */
export function asked(facts: Partial<RuleInput> = {}): RuleInput {
  return {
    edge: 'astra-1',
    channel: 'a001',
    path: '/play/a001/index.m3u8',
    ip: '192.0.2.7',
    userAgent: 'VLC/3',
    host: 'live.example.com',
    query: '',
    ...facts,
  };
}

/** Keeps what was logged. */
export class KeptLog implements Log {
  readonly lines: { level: string; fields: LogFields; message: string }[] = [];
  debug = this.#keep('debug');
  info = this.#keep('info');
  warn = this.#keep('warn');
  error = this.#keep('error');

  get text(): string {
    return JSON.stringify(this.lines);
  }

  #keep(level: string) {
    return (fields: LogFields, message: string): void => {
      this.lines.push({ level, fields, message });
    };
  }
}
