import type { Log, LogFields } from '#usher/domain';
import { pino, stdTimeFunctions } from 'pino';
import type { DestinationStream, Logger as Pino } from 'pino';
import pretty from 'pino-pretty';
import { cleanFields, cleanText } from './clean.js';
import { LineOutput, standardOutputLines } from './line-output.js';

export interface LogSettings {
  /** The least that is written. */
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `auto`: text on a terminal, else JSON. */
  readonly format: 'auto' | 'json' | 'text';
}

export interface LoggerOptions {
  /** Which part of the process speaks: gateway, worker, control, usher. */
  readonly name: string;
  /** Where lines go; default standard output. */
  readonly stream?: DestinationStream & { readonly isTTY?: boolean };
}

/** The process's log. */
export interface Logger extends Log {
  /** The same log with fields that every line of it carries. */
  child(fields: LogFields): Logger;
  /** Hands over what is still buffered. Exit does so by itself. */
  flush(): void;
}

/**
 * JSON lines for machines, readable ones for a terminal. Every field and message is cleaned on its way: no secret and
 * no control character reaches a line.
 */
export function createLogger(settings: LogSettings, options: LoggerOptions): Logger {
  const terminal = options.stream === undefined ? process.stdout.isTTY : options.stream.isTTY === true;
  const text = settings.format === 'text' || (settings.format === 'auto' && terminal);
  const out = options.stream ?? standardOutputLines();
  const stream = text ? readableLines(out, terminal) : out;
  const root = pino(
    {
      level: settings.level,
      base: { name: options.name },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Errors come cleaned: pino's own serializer would take them for strange objects.
      serializers: { err: (err: unknown) => err },
    },
    stream,
  );
  return new PinoLog(root, {}, () => {
    if (out instanceof LineOutput) out.flush();
  });
}

/** Formats each line in place: neither a worker thread nor a pipeline that loses the last lines at exit. */
function readableLines(out: { write(line: string): unknown }, colorize: boolean): DestinationStream {
  const format = pretty.prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
    singleLine: true,
  });
  return { write: (line) => void out.write(format(line) ?? '') };
}

/** What pino itself writes: a field of that name would appear twice in a line. */
const RESERVED = new Set(['level', 'time', 'msg', 'name', 'pid', 'hostname']);

class PinoLog implements Logger {
  readonly #pino: Pino;
  readonly #base: LogFields;
  readonly #flush: () => void;

  constructor(root: Pino, base: LogFields, flush: () => void) {
    this.#pino = root;
    this.#base = base;
    this.#flush = flush;
  }

  debug(fields: LogFields, message: string): void {
    this.#write('debug', fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#write('info', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#write('warn', fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#write('error', fields, message);
  }

  child(fields: LogFields): Logger {
    return new PinoLog(this.#pino, { ...this.#base, ...fields }, this.#flush);
  }

  flush(): void {
    this.#flush();
  }

  #write(level: 'debug' | 'info' | 'warn' | 'error', fields: LogFields, message: string): void {
    if (!this.#pino.isLevelEnabled(level)) return;
    const line: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(cleanFields({ ...this.#base, ...fields }))) {
      Object.defineProperty(line, RESERVED.has(key) ? `${key}_` : key, { value, enumerable: true });
    }
    this.#pino[level](line, cleanText(message));
  }
}
