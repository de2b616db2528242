import type { Log } from '#usher/domain';
import { WatchedFile, type Current, type FileKind } from './watched-file.js';

/** All files that rules read, each once however many routes name it. */
export class FileWatch {
  readonly #files = new Map<string, Promise<WatchedFile<unknown>>>();
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly log: Log,
    private readonly onChange: () => void,
  ) {}

  /** @throws ConfigError where it cannot be read */
  open<T>(path: string, kind: FileKind<T>): Promise<Current<T>> {
    const key = `${kind.what}:${path}`;
    const known = this.#files.get(key);
    if (known !== undefined) return known as Promise<WatchedFile<T>>;
    const opening = WatchedFile.open(path, kind, this.log);
    this.#files.set(key, opening);
    return opening;
  }

  /** Looks at all of them so often, ms. By polling: notices of the system miss network folders and mounted ones. */
  start(every: number): void {
    this.#timer = setInterval(() => void this.look(), every).unref();
  }

  /** One look at all files; never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#lookAtAll().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #lookAtAll(): Promise<void> {
    let changed = false;
    for (const file of this.#files.values()) changed = (await (await file).look()) || changed;
    if (changed) this.onChange();
  }
}
