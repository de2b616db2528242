import { setTimeout as delay } from 'node:timers/promises';
import type { FakeAstra, Play, Played } from './fake-astra.js';

export interface FakeBoxOptions extends Omit<Play, 'sessionId' | 'query'> {
  readonly astra: FakeAstra;
  /** The query of one play: its portal makes a new token each time. */
  readonly query: (play: number) => string;
  /** It comes back so long after its session was cut, ms. Default 1,000. */
  readonly returnsAfter?: number;
  /** How it waits. Default by real time. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/**
 * A MAG box: it plays through its Astra, and when its session is cut it is back soon, under a new session id and with a
 * new token. Where it is refused it stays on its error page.
 */
export class FakeBox {
  /** Each of its starts, in their order. */
  readonly plays: Played[] = [];
  #isOn = false;
  #channel: string;

  constructor(private readonly options: FakeBoxOptions) {
    this.#channel = options.channel;
  }

  /** Whether it has its stream now. */
  get playing(): boolean {
    const last = this.plays.at(-1);
    return last !== undefined && last.allowed && this.options.astra.hasSession(last.sessionId);
  }

  /** The id of its last session. */
  get sessionId(): string {
    return this.plays.at(-1)?.sessionId ?? '';
  }

  async switchOn(channel = this.#channel): Promise<Played> {
    this.#isOn = true;
    this.#channel = channel;
    return this.#play();
  }

  /** Its session ends at its Astra, and it stays away. */
  async switchOff(): Promise<void> {
    this.#isOn = false;
    if (this.playing) await this.options.astra.close(this.sessionId);
  }

  async #play(): Promise<Played> {
    const { astra, query, ip, ua, path, host } = this.options;
    const words = { channel: this.#channel, query: query(this.plays.length + 1) };
    const played = await astra.play({ ip, ua, path, host, ...words });
    this.plays.push(played);
    if (played.allowed) void astra.ended(played.sessionId).then(() => this.#comeBack(played.sessionId));
    return played;
  }

  async #comeBack(ended: string): Promise<void> {
    const { returnsAfter = 1_000, wait = (ms) => delay(ms, undefined, { ref: false }) } = this.options;
    if (!this.#isOn) return;
    await wait(returnsAfter);
    // Switched off meanwhile, or on another channel already.
    if (this.#isOn && this.sessionId === ended) await this.#play();
  }
}
