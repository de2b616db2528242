import { ConfigError } from '#usher/config';
import type { Clock, Log, Random } from '#usher/domain';
import { readKeySet, type KeySet } from './key-set.js';
import type { KeySource } from './key-source.js';

const FETCH_MS = 5_000;
const MAX_BYTES = 1024 * 1024;
/** After a failure it is tried again sooner than usual. */
const RETRY_MS = 15_000;
/** Tokens with unknown keys cause no more fetches than one in this time. */
const COOLDOWN_MS = 10_000;
/** Of the time between two fetches, so that gateways do not all ask at once. */
const JITTER = 0.2;

export interface RemoteKeysParts {
  readonly url: string;
  /** Between two fetches, ms. */
  readonly refresh: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  /** Other keys than before are in force. */
  readonly onChange: () => void;
}

/** The keys at an address. They are fetched in the background; what was good stays while the address is down. */
export class RemoteKeys implements KeySource {
  #keys: KeySet | undefined;
  #fetching: Promise<boolean> | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #isGood = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  readonly #address: string;
  readonly #headers: Record<string, string>;

  constructor(private readonly parts: RemoteKeysParts) {
    const url = new URL(parts.url);
    const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    this.#headers = {
      accept: 'application/jwk-set+json, application/json',
      ...(login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
    };
    url.username = '';
    url.password = '';
    this.#address = url.href;
  }

  get current(): KeySet | undefined {
    return this.#keys;
  }

  /** Begins to fetch, and goes on until closed. */
  start(): void {
    void this.#fetch();
  }

  look(): Promise<boolean> {
    if (this.#fetching !== undefined) return this.#fetching;
    const since = this.parts.clock.monotonic() - this.#triedAt;
    return since < COOLDOWN_MS ? Promise.resolve(this.#isGood) : this.#fetch();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearTimeout(this.#timer);
    await this.#fetching;
    clearTimeout(this.#timer);
  }

  /** True: the keys are those of the address now. Never rejects. */
  #fetch(): Promise<boolean> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<boolean> {
    const { log, clock } = this.parts;
    clearTimeout(this.#timer);
    this.#triedAt = clock.monotonic();
    this.#isGood = false;
    try {
      this.#use(readKeySet(await this.#load(), 'the answer'));
      this.#isGood = true;
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        const why = error instanceof ConfigError ? error.message : reasonOf(error);
        const effect =
          this.#keys === undefined ? 'its tokens are refused' : 'the last good ones stay in force';
        log.warn(
          { host: new URL(this.#address).host, why },
          `keys of tokens could not be fetched: ${effect}`,
        );
      }
    }
    this.#planNext();
    return this.#isGood;
  }

  #use(keys: KeySet): void {
    const before = this.#keys;
    const isSame = before?.kind === 'public' && keys.kind === 'public' && before.text === keys.text;
    if (isSame) return;
    this.#keys = keys;
    this.parts.onChange();
  }

  async #load(): Promise<string> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(FETCH_MS)]);
    const answer = await fetch(this.#address, { headers: this.#headers, redirect: 'error', signal });
    if (answer.status !== 200) throw new ConfigError([`status ${answer.status}`]);
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of answer.body ?? []) {
      const bytes = Buffer.from(chunk as Uint8Array);
      chunks.push(bytes);
      length += bytes.length;
      if (length > MAX_BYTES) throw new ConfigError([`the answer is larger than ${MAX_BYTES} bytes`]);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  #planNext(): void {
    if (this.#closing.signal.aborted) return;
    const { refresh, random } = this.parts;
    const wait = (this.#isGood ? refresh : Math.min(refresh, RETRY_MS)) * (1 + JITTER * (random() - 0.5));
    this.#timer = setTimeout(() => void this.#fetch(), wait).unref();
  }
}

/** It says `fetch failed` by itself, and the reason in its cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const { code, message } = cause as { code?: unknown; message?: unknown };
  return [code, message].find((one): one is string => typeof one === 'string') ?? 'unknown';
}
