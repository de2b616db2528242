import { open, stat } from 'node:fs/promises';
import { ConfigError } from '#usher/config';
import type { Log } from '#usher/domain';

/** What is in force now; it may be another thing the next time. */
export interface Current<T> {
  readonly current: T;
}

export interface FileKind<T> {
  /** In log lines: "the list of addresses". */
  readonly what: string;
  readonly maxBytes: number;
  /** Throws ConfigError where the file is none of this kind. */
  read(bytes: Buffer, name: string): T | Promise<T>;
}

/**
 * A file that is read again when it changes. A new version counts once it stood still between two looks, and only if it
 * can be read through: else the old one stays, and the log says why.
 */
export class WatchedFile<T> implements Current<T> {
  /** Of the version in force. */
  #signature = '';
  /** Of the version seen at the last look. */
  #seen = '';
  /** Of a version that could not be used: it is not tried, and not told, again. */
  #refused: string | undefined;
  #value: T | undefined;

  private constructor(
    private readonly path: string,
    private readonly kind: FileKind<T>,
    private readonly log: Log,
  ) {}

  /** @throws ConfigError where it cannot be read */
  static async open<T>(path: string, kind: FileKind<T>, log: Log): Promise<WatchedFile<T>> {
    const file = new WatchedFile(path, kind, log);
    const { value, signature } = await file.#load();
    file.#value = value;
    file.#signature = signature;
    file.#seen = signature;
    return file;
  }

  get current(): T {
    return this.#value as T;
  }

  /** Looks whether it has changed. True: another version is in force. Never rejects. */
  async look(): Promise<boolean> {
    const { path } = this;
    const now = await signatureOf(path);
    if (now === undefined) {
      this.#refuse('gone', 'it is not there any more');
      this.#seen = 'gone';
      return false;
    }
    const stoodStill = now === this.#seen;
    this.#seen = now;
    if (now === this.#signature) this.#refused = undefined;
    if (!stoodStill || now === this.#signature || now === this.#refused) return false;
    try {
      const { value, signature } = await this.#load();
      if (signature !== now) return false;
      this.#value = value;
      this.#signature = now;
      this.#refused = undefined;
      this.log.info({ file: path }, `${this.kind.what} was read again`);
      return true;
    } catch (error) {
      this.#refuse(now, error instanceof ConfigError ? error.problems.join('; ') : String(error));
      return false;
    }
  }

  #refuse(signature: string, why: string): void {
    if (this.#refused === signature) return;
    this.#refused = signature;
    this.log.error(
      { file: this.path, why },
      `${this.kind.what} cannot be used: the version before stays in force`,
    );
  }

  /** The signature is of what was read: one that changes meanwhile is seen at the next look. */
  async #load(): Promise<{ value: T; signature: string }> {
    const { path, kind } = this;
    const signature = await signatureOf(path);
    if (signature === undefined) throw new ConfigError([`there is no file ${path}`]);
    const bytes = await readBounded(path, kind.maxBytes);
    const after = await signatureOf(path);
    return { value: await kind.read(bytes, path), signature: after === signature ? signature : 'changing' };
  }
}

async function signatureOf(path: string): Promise<string | undefined> {
  try {
    const { mtimeNs, ctimeNs, size, ino } = await stat(path, { bigint: true });
    return `${ino}:${size}:${mtimeNs}:${ctimeNs}`;
  } catch {
    return undefined;
  }
}

async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw new ConfigError([`${path} is no file`]);
      if (facts.size > maxBytes) throw new ConfigError([`${path} is larger than ${maxBytes} bytes`]);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})`]);
  }
}
