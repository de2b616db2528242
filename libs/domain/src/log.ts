/** What a log line carries besides its sentence. Keys are fixed words; values may be anything, they are cleaned. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where a library says what happened. The one who starts the process decides where it goes. Never throws. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** Says nothing, to nobody. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
