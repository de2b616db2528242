import type { Log, LogFields } from '#usher/domain';
import type { LoggerService } from '@nestjs/common';

/**
 * Nest's own words in our log. What Nest tells about its start is of use to its developers only: `debug`.
 * Nest calls `method(message, ...details, context)`; of an error the first detail is its stack.
 */
export class NestLog implements LoggerService {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  log(message: unknown, ...details: unknown[]): void {
    this.#log.debug(fieldsOf(message, details), sentenceOf(message));
  }

  debug(message: unknown, ...details: unknown[]): void {
    this.#log.debug(fieldsOf(message, details), sentenceOf(message));
  }

  verbose(message: unknown, ...details: unknown[]): void {
    this.#log.debug(fieldsOf(message, details), sentenceOf(message));
  }

  warn(message: unknown, ...details: unknown[]): void {
    this.#log.warn(fieldsOf(message, details), sentenceOf(message));
  }

  error(message: unknown, ...details: unknown[]): void {
    this.#log.error(fieldsOf(message, details), sentenceOf(message));
  }

  fatal(message: unknown, ...details: unknown[]): void {
    this.#log.error(fieldsOf(message, details), sentenceOf(message));
  }
}

function sentenceOf(message: unknown): string {
  if (message instanceof Error) return message.message;
  return typeof message === 'string' ? message : 'Nest';
}

function fieldsOf(message: unknown, details: readonly unknown[]): LogFields {
  const context = typeof details.at(-1) === 'string' ? String(details.at(-1)) : undefined;
  const rest = context === undefined ? details : details.slice(0, -1);
  return {
    ...(context === undefined || context.includes('\n') ? {} : { context }),
    ...(message instanceof Error ? { err: message } : {}),
    ...(typeof message === 'object' && !(message instanceof Error) ? { said: message } : {}),
    ...(rest.length === 0 ? {} : { details: rest.map(linesOf) }),
  };
}

/** A stack comes as one text: its lines are kept apart, for a line break is a control character in a log. */
function linesOf(detail: unknown): unknown {
  return typeof detail === 'string' && detail.includes('\n') ? detail.split('\n') : detail;
}
