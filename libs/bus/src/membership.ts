import { BusKeys } from './keys.js';
import { Line } from './line.js';
import { checkBusOptions, checkPositive } from './options.js';
import type { BusOptions, CheckedBusOptions } from './options.js';
import { BEAT } from './scripts.js';

export interface MembershipOptions extends BusOptions {
  /** What kind of process this is. */
  readonly role: string;
  readonly host: string;
  readonly version: string;
  /** Between two beats, ms. Default 1,000. */
  readonly beatMs?: number;
  /** A beat is good for this long, ms. Default 2,500. */
  readonly validMs?: number;
}

/** A living process. `info` holds what it tells about itself; unknown things are kept. */
export interface Node {
  readonly id: string;
  /** Its last beat, ms by Redis' clock. */
  readonly at: number;
  readonly role: string;
  readonly host: string;
  readonly version: string;
  readonly info: Readonly<Record<string, unknown>>;
}

/** A beat brought forward comes no sooner than this after the one before, ms. */
const TOUCH_MS = 100;

/** Who lives: each process beats once a second into one hash, and reads all the others by the same round trip. */
export class Membership {
  readonly #options: CheckedBusOptions;
  readonly #key: string;
  readonly #beatMs: number;
  readonly #validMs: number;
  readonly #about: { readonly role: string; readonly host: string; readonly version: string };
  readonly #listeners = new Set<(nodes: readonly Node[]) => void>();
  readonly #provided = new Map<string, () => unknown>();
  #info: Readonly<Record<string, unknown>> = {};
  #nodes: readonly Node[] = [];
  #line: Line | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beatAt = -Infinity;
  #heardAt = -Infinity;
  #beating: Promise<void> | undefined;

  /** Throws TypeError for options that cannot work. */
  constructor(options: MembershipOptions) {
    this.#options = checkBusOptions(options);
    this.#key = new BusKeys(this.#options.prefix).nodes;
    this.#beatMs = options.beatMs ?? 1000;
    this.#validMs = options.validMs ?? 2500;
    checkPositive({ beatMs: this.#beatMs, validMs: this.#validMs }, ['beatMs', 'validMs']);
    if (this.#validMs <= this.#beatMs) throw new TypeError('bus: validMs must be more than beatMs');
    this.#about = { role: options.role, host: options.host, version: options.version };
  }

  get self(): string {
    return this.#options.id;
  }

  /** Redis has not answered a beat within the time that one is good for: the table is the last one known. */
  get alone(): boolean {
    return this.#line?.ready !== true || performance.now() - this.#heardAt > this.#validMs;
  }

  /** Starts to beat; resolves after the first beat, or when Redis could not be reached in time (it goes on trying). */
  async start(): Promise<void> {
    if (this.#line !== undefined) return;
    this.#line = new Line(this.#options.connect, 'commands');
    this.#line.onReady(() => this.touch());
    if (await this.#line.waitReady(this.#options.connectTimeoutMs)) await this.#beat();
    else this.#plan(this.#beatMs);
  }

  /** All living processes, this one included once it has beaten; from memory. */
  nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** Replaces what this process tells about itself, from the next beat on. */
  setInfo(info: Readonly<Record<string, unknown>>): void {
    this.#info = info;
  }

  /** Adds one thing that is read anew at each beat. */
  provide(name: string, read: () => unknown): void {
    this.#provided.set(name, read);
  }

  /** Brings the next beat forward, for news that should not wait a second. */
  touch(): void {
    if (this.#line?.ready !== true || this.#beating !== undefined) return;
    this.#plan(Math.max(0, this.#beatAt + TOUCH_MS - performance.now()));
  }

  /** Called with the table when somebody came, went, or changed what it tells. */
  onChange(listener: (nodes: readonly Node[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody takes requests of this pattern and lane: full or not. */
  hasWorker(pattern: string, lane: string): boolean {
    return this.#nodes.some((node) => slotsOf(node, pattern, lane) !== undefined);
  }

  /** Somebody takes them, and nobody has a free slot. */
  isFull(pattern: string, lane: string): boolean {
    let any = false;
    for (const node of this.#nodes) {
      const free = slotsOf(node, pattern, lane);
      if (free === undefined) continue;
      if (free > 0) return false;
      any = true;
    }
    return any;
  }

  /** Takes this process out of the table, and stops. */
  async leave(): Promise<void> {
    clearTimeout(this.#timer);
    const line = this.#line;
    this.#line = undefined;
    if (line === undefined) return;
    await this.#beating;
    await line
      .run(BEAT, [this.#key], [this.self, '', this.#validMs], this.#options.commandTimeoutMs)
      .catch(() => undefined); // it expires
    line.close();
  }

  #plan(inMs: number): void {
    clearTimeout(this.#timer);
    if (this.#line === undefined) return;
    this.#timer = setTimeout(() => void this.#beat(), inMs);
    this.#timer.unref();
  }

  async #beat(): Promise<void> {
    if (this.#beating !== undefined) return this.#beating;
    this.#beating = this.#exchange();
    await this.#beating;
    this.#beating = undefined;
    this.#plan(Math.max(0, this.#beatAt + this.#beatMs - performance.now()));
  }

  async #exchange(): Promise<void> {
    this.#beatAt = performance.now();
    const info: Record<string, unknown> = { ...this.#info };
    for (const [name, read] of this.#provided) info[name] = read();
    const record = `,${JSON.stringify({ ...this.#about, info }).slice(1)}`;
    try {
      const args = [this.self, record, this.#validMs];
      const answer = await this.#line!.run(BEAT, [this.#key], args, this.#options.commandTimeoutMs);
      this.#heardAt = performance.now();
      this.#learn(answer as (Buffer | number)[]);
    } catch {
      // Away or late: the last table stands, and `alone` tells so.
    }
  }

  #learn([, ...rows]: (Buffer | number)[]): void {
    const nodes: Node[] = [];
    for (let index = 0; index < rows.length; index += 2) {
      const node = JSON.parse(String(rows[index + 1])) as Omit<Node, 'id'>;
      nodes.push({ ...node, id: String(rows[index]), info: node.info ?? {} });
    }
    nodes.sort((a, b) => (a.id < b.id ? -1 : 1));
    const changed = told(nodes) !== told(this.#nodes);
    this.#nodes = nodes;
    if (changed) for (const listener of this.#listeners) listener(nodes);
  }
}

function slotsOf(node: Node, pattern: string, lane: string): number | undefined {
  const lanes = node.info['lanes'] as Readonly<Record<string, number>> | undefined;
  return lanes?.[`${pattern}:${lane}`];
}

/** A table without its instants: equal where nothing is new. */
const told = (nodes: readonly Node[]): string => JSON.stringify(nodes.map((node) => ({ ...node, at: 0 })));
