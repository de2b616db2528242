import { Server } from '@nestjs/microservices';
import type { CustomTransportStrategy, MessageHandler } from '@nestjs/microservices';
import { finalize, isObservable } from 'rxjs';
import { BusContext } from './bus-context.js';
import { Events } from './events.js';
import { BusKeys } from './keys.js';
import { Lane } from './lane.js';
import { LaneReader } from './lane-reader.js';
import { Line } from './line.js';
import type { Membership } from './membership.js';
import { checkBusOptions, checkPositive } from './options.js';
import type { BusOptions, CheckedBusOptions } from './options.js';
import { ReplyWriter } from './reply-writer.js';
import { RequestHandling } from './request-handling.js';
import type { HandlingStats } from './request-handling.js';

/** For handlers that only this transport serves: `@MessagePattern('check', BUS_TRANSPORT)`. */
export const BUS_TRANSPORT = Symbol('redis-streams');

export interface StreamServerOptions extends BusOptions {
  /** Lane → slots: how many of a pattern's requests in it this server handles at once. Default `{ main: 64 }`. */
  readonly lanes?: Readonly<Record<string, number>>;
  /** `drain()` and `close()` wait this long for handlers, ms. Default 10,000. */
  readonly drainTimeoutMs?: number;
  /** Where this server's free slots are told to the askers. */
  readonly membership?: Membership;
}

export interface ServerStats extends HandlingStats {
  busy: number;
  /** Events missed, as often as it was noticed. */
  gaps: number;
  /** What waits, by `pattern:lane` and `pattern:lane:low`; a few seconds old. */
  lag: Record<string, number>;
}

/** `connected`: it consumes. */
export type BusStatus = 'connected' | 'away';

const UPKEEP_MS = 5000;

interface ServerParts {
  readonly commands: Line;
  readonly blocking: Line;
  readonly reader: LaneReader;
  readonly handling: RequestHandling;
  readonly replies: ReplyWriter;
}

/**
 * Nest transport over Redis Streams, the side that handles. A message (`@MessagePattern`) reaches one server of all,
 * at most once; an event (`@EventPattern`) reaches every process.
 */
export class StreamServer
  extends Server<Record<string, (...args: unknown[]) => void>, BusStatus>
  implements CustomTransportStrategy
{
  override transportId = BUS_TRANSPORT;
  readonly events: Events;
  readonly #options: CheckedBusOptions;
  readonly #keys: BusKeys;
  readonly #slots: Map<string, number>;
  readonly #paused = new Set<string>();
  readonly #drainTimeoutMs: number;
  readonly #membership: Membership | undefined;
  readonly #counted: HandlingStats = { taken: 0, replied: 0, failed: 0, expired: 0, malformed: 0 };
  readonly #lag: Record<string, number> = {};
  #parts: ServerParts | undefined;
  #upkeep: NodeJS.Timeout | undefined;
  #idle: (() => void) | undefined;
  /** Nest's processing hooks are set: each request goes through them. */
  #hooked = false;

  /** Throws TypeError for options that cannot work. Opens no connection before `listen()`. */
  constructor(options: StreamServerOptions) {
    super();
    this.#options = checkBusOptions(options);
    this.#keys = new BusKeys(this.#options.prefix);
    this.#slots = new Map(Object.entries(options.lanes ?? { main: 64 }));
    checkPositive(Object.fromEntries(this.#slots), [...this.#slots.keys()]);
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 10_000;
    checkPositive({ drainTimeoutMs: this.#drainTimeoutMs }, ['drainTimeoutMs']);
    this.#membership = options.membership;
    this.events = new Events(this.#options);
  }

  /** Starts to consume. Calls back when it does, or after `connectTimeoutMs`: then it goes on trying. */
  async listen(callback: (error?: unknown) => void): Promise<void> {
    try {
      const parts = this.#open();
      for (const [name, slots] of this.#slots) this.#addLane(name, slots);
      this.#listenToEvents();
      parts.reader.start();
      this.#upkeep = setInterval(() => void this.#keep(), UPKEEP_MS);
      this.#upkeep.unref();
      this.#membership?.provide('lanes', () => this.freeSlots());
      if (!(await parts.blocking.waitReady(this.#options.connectTimeoutMs))) {
        this.logger.warn('Redis is away; consuming starts when it is there');
      }
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** True while it consumes: connected, its streams there, not drained. */
  get consuming(): boolean {
    return this.#parts?.reader.consuming === true;
  }

  /** Stops reading, lets handlers finish and their replies leave. It can still emit no reply after that. */
  async drain(): Promise<void> {
    const parts = this.#parts;
    if (parts === undefined) return;
    const end = performance.now() + this.#drainTimeoutMs;
    const stopped = parts.reader.stop();
    this.#membership?.touch();
    await stopped;
    if (this.#busy > 0) await this.#handlersDone(end - performance.now());
    await parts.replies.flushed(Math.max(1, end - performance.now()));
  }

  async close(): Promise<void> {
    clearInterval(this.#upkeep);
    await this.drain();
    await this.events.close();
    const parts = this.#parts;
    this.#parts = undefined;
    if (parts?.commands.ready === true) {
      await parts.commands
        .call(['del', this.#keys.wake(this.#options.id)], this.#options.commandTimeoutMs)
        .catch(() => undefined); // it expires
    }
    parts?.handling.stop();
    parts?.replies.close();
    parts?.blocking.close();
    parts?.commands.close();
  }

  /** Changes a lane's slots, or adds the lane. Requests under way beyond the new number end as they would. */
  setSlots(lane: string, slots: number): void {
    checkPositive({ slots }, ['slots']);
    const known = this.#slots.has(lane);
    this.#slots.set(lane, slots);
    if (!known) return this.#addLane(lane, slots);
    for (const each of this.#lanes(lane)) each.slots = slots;
    this.#changed(lane);
  }

  /** Takes no more requests of this lane; those under way go on. */
  pause(lane: string): void {
    this.#paused.add(lane);
    for (const each of this.#lanes(lane)) each.paused = true;
    this.#changed(lane);
  }

  resume(lane: string): void {
    this.#paused.delete(lane);
    for (const each of this.#lanes(lane)) each.paused = false;
    this.#changed(lane);
  }

  /** Free slots by `pattern:lane`; a paused lane is not among them: this server takes nothing from it. */
  freeSlots(): Record<string, number> {
    const free: Record<string, number> = {};
    if (this.#parts === undefined || this.#parts.reader.stopping) return free;
    for (const lane of this.#parts.reader.lanes) {
      if (!lane.paused) free[`${lane.route}:${lane.name}`] = lane.free;
    }
    return free;
  }

  stats(): ServerStats {
    return { ...this.#counted, busy: this.#busy, gaps: this.events.gaps, lag: { ...this.#lag } };
  }

  override getHandlerByPattern(pattern: string): MessageHandler | null {
    return this.messageHandlers.get(pattern) ?? null;
  }

  override setOnProcessingStartHook(hook: Parameters<Server['setOnProcessingStartHook']>[0]): void {
    this.#hooked = true;
    super.setOnProcessingStartHook(hook);
  }

  override setOnProcessingEndHook(hook: Parameters<Server['setOnProcessingEndHook']>[0]): void {
    this.#hooked = true;
    super.setOnProcessingEndHook(hook);
  }

  on(event: string, callback: (...args: unknown[]) => void): void {
    this.#open().commands.redis.on(event, callback);
  }

  unwrap<T>(): T {
    const { commands, blocking } = this.#open();
    return [commands.redis, blocking.redis] as T;
  }

  #open(): ServerParts {
    if (this.#parts !== undefined) return this.#parts;
    const { connect, id, now, commandTimeoutMs: timeoutMs } = this.#options;
    const commands = new Line(connect, 'commands');
    const blocking = new Line(connect, 'blocking');
    const onTrouble = (error: unknown): void => this.logger.error(error);
    const wakeKey = this.#keys.wake(id);
    const replies = new ReplyWriter({
      line: commands,
      keys: this.#keys,
      serverId: id,
      now,
      timeoutMs,
      onTrouble,
    });
    const handling = new RequestHandling({
      replies,
      now,
      counted: this.#counted,
      call: (route, data, context) => this.#call(route, data, context),
      onDone: (lane) => this.#done(lane),
      onFull: () => this.#membership?.touch(),
      onTrouble,
    });
    const reader = new LaneReader({
      blocking,
      commands,
      wakeKey,
      timeoutMs,
      onTrouble,
      start: (lane, entry) => handling.start(lane, entry),
    });
    blocking.onReady(() => this._status$.next('connected'));
    blocking.onLost(() => this._status$.next('away'));
    this.#parts = { commands, blocking, reader, handling, replies };
    return this.#parts;
  }

  #addLane(name: string, slots: number): void {
    if (this.#parts === undefined) return; // listen() adds it
    for (const [route, handler] of this.messageHandlers) {
      if (handler.isEventHandler === true) continue;
      const lane = new Lane(this.#keys, route, name, slots);
      lane.paused = this.#paused.has(name);
      this.#parts.reader.add(lane);
    }
  }

  #lanes(name: string): Lane[] {
    return this.#parts?.reader.lanes.filter((lane) => lane.name === name) ?? [];
  }

  #changed(name: string): void {
    if (!this.#slots.has(name)) throw new TypeError(`bus: no lane ${name}`);
    for (const lane of this.#lanes(name)) this.#parts?.reader.refresh(lane);
    this.#membership?.touch();
  }

  get #busy(): number {
    return this.#parts?.reader.lanes.reduce((sum, lane) => sum + lane.busy, 0) ?? 0;
  }

  #handlersDone(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => {
          this.logger.warn(`${this.#busy} handlers did not finish in time`);
          resolve();
        },
        Math.max(0, withinMs),
      );
      this.#idle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #listenToEvents(): void {
    let any = false;
    for (const [route, handler] of this.messageHandlers) {
      if (handler.isEventHandler !== true) continue;
      any = true;
      this.events.on(route, (data, event) => {
        const context = new BusContext([route, '', Infinity, event.from, event.meta]);
        return this.handleEvent(route, { pattern: route, data }, context);
      });
    }
    if (any) this.events.start();
  }

  #done(lane: Lane): void {
    const wasFull = lane.free === 0;
    this.#parts?.reader.freed(lane);
    if (wasFull) this.#membership?.touch();
    if (this.#idle !== undefined && this.#busy === 0) this.#idle();
  }

  /** Through Nest's processing hooks, where some are set; they end with the stream that the handler returned. */
  async #call(route: string, data: unknown, context: BusContext): Promise<unknown> {
    const handler = this.messageHandlers.get(route)!;
    if (!this.#hooked) return handler(data, context);
    return new Promise((resolve, reject) => {
      this.runWithProcessingHooks(context, async (end) => {
        try {
          const result: unknown = await handler(data, context);
          resolve(isObservable(result) ? result.pipe(finalize(end)) : result);
          if (!isObservable(result)) end();
        } catch (error) {
          end();
          reject(error as Error);
        }
      });
    });
  }

  /** Streams expire with the last server; what waits in them is counted. */
  async #keep(): Promise<void> {
    const { names, commands } = this.#parts!.reader.upkeep();
    try {
      const answers = await this.#parts!.commands.pipeline(commands, this.#options.commandTimeoutMs);
      for (const [index, name] of names.entries()) this.#lag[name] = Number(answers[index * 2 + 1]![1] ?? 0);
    } catch {
      // Away or late: the next time.
    }
  }
}
