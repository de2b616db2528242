import type { Check } from '#usher/domain';
import { type RedisClient, connectRedis } from '#usher/redis';
import type { RedisProcess } from '#usher/testing';
import type { Peer } from '../src/breaker/cluster.js';
import type { BreakerEvent } from '../src/breaker/events.js';
import type { BreakerRecord } from '../src/breaker/record.js';
import type { BackendGate } from '../src/gate/backend-gate.js';
import type { Gates, GatesOptions } from '../src/gate/open-gates.js';
import { aCheck, clock } from './checks.js';
import { type Settings, ToldBackend, fail, gatesAround } from './gates.js';

/** One process of the group: gates of its own, a Redis connection of its own, and its own way to the backend. */
export class GroupProcess {
  readonly gates: Gates;
  readonly gate: BackendGate;
  readonly turns: BreakerRecord[] = [];
  /** Hears no announcements. */
  deaf = false;

  constructor(
    readonly peer: Peer,
    readonly backend: ToldBackend,
    readonly redis: RedisClient,
    settings: Settings,
    options: Partial<GatesOptions>,
  ) {
    this.gates = gatesAround([backend], settings, {
      redis,
      onChange: (_, now) => this.turns.push(now),
      ...options,
    });
    this.gate = this.gates.gates.get(backend.name)!;
  }

  get state(): string {
    return this.gate.status().state;
  }

  async ask(times = 1, check: Check = aCheck()): Promise<void> {
    for (let call = 0; call < times; call += 1) {
      await this.gate.ask(check, { deadline: clock.monotonic() + 5_000, known: false });
    }
  }

  /** The network between this process and the backend breaks. */
  breakNetwork(): void {
    this.backend.answer = () => fail(this.backend.name);
  }

  admit(known = false) {
    return this.gates.board.admit(this.backend.name, known);
  }
}

/** Several processes of one cluster in this one: real Redis, connections apart, announcements as the bus carries them. */
export class ProcessGroup {
  readonly processes: GroupProcess[] = [];
  /** All that was announced, as it travelled. */
  readonly sent: string[] = [];

  constructor(
    private readonly redis: RedisProcess,
    private readonly backendName: string,
    private readonly settings: Settings = {},
    /** For one Redis command, ms. */
    private readonly redisTimeout = 1_000,
  ) {}

  /** Starts a process; it lives, as the others see it, from now on. `ticks` false: it never reads again by itself. */
  async start(id: string, host: string, { ticks = true } = {}): Promise<GroupProcess> {
    const peer = { id, host };
    const redis = connectRedis({ url: this.redis.url, timeout: this.redisTimeout });
    if (!(await redis.ready?.(10_000))) throw new Error('the test’s Redis does not answer');
    const process: GroupProcess = new GroupProcess(
      peer,
      new ToldBackend(this.backendName),
      redis,
      this.settings,
      {
        announce: (event) => this.#announce(process, event),
        cluster: {
          self: peer,
          callShare: () => 1 / this.processes.length,
          admitShare: () => 1 / this.processes.length,
          others: () => this.processes.filter((other) => other !== process).map((other) => other.peer),
        },
      },
    );
    this.processes.push(process);
    await (ticks ? process.gates.board.start() : process.gates.board.reread());
    return process;
  }

  async stop(): Promise<void> {
    for (const { gates, redis } of this.processes) {
      gates.board.stop();
      await redis.close();
    }
  }

  #announce(from: GroupProcess, event: BreakerEvent): void {
    const sent = JSON.stringify(event);
    this.sent.push(sent);
    for (const to of this.processes) {
      if (to === from || to.deaf) continue;
      setImmediate(() => void to.gates.board.heard(JSON.parse(sent)));
    }
  }
}
