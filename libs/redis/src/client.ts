/** One Lua file, loaded once: `script(import.meta.url, './open-session-4.lua')` (see script.ts). */
export interface RedisScript {
  /** The file's name without `.lua`; ends in the number of KEYS. */
  readonly name: string;
  readonly source: string;
  readonly sha: string;
  readonly keys: number;
}

export type RedisArg = string | number | Buffer;

/**
 * Commands on one multiplexed connection (single, Sentinel or Cluster), never blocking ones. Every call has a deadline
 * of its own (`redis.timeout`, 30 ms by default), checked again after one poll phase, so that a busy loop does not take
 * a healthy Redis for dead. Three in a row late (commands late together count once) = Redis is away: the socket is
 * dropped with its queue, calls fail at once, and a PING each 250 ms finds it again. Replies are text as UTF-8.
 */
export interface RedisClient {
  /** True while Redis is taken for away: every call rejects at once with RedisAwayError. */
  readonly away: boolean;
  /** Why it is away, for people; empty while it is not. */
  readonly trouble: string;
  /** Resolves true as soon as Redis answers, false if it does not within that time (10 s by default). */
  ready(withinMs?: number): Promise<boolean>;
  /** Calls one command. Rejects with RedisAwayError, RedisTimeoutError, or the server's ReplyError. */
  call(command: string, args: readonly RedisArg[], timeoutMs?: number): Promise<unknown>;
  /** Runs a script by its hash (loaded on NOSCRIPT). All KEYS share one slot. */
  run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly RedisArg[],
    timeoutMs?: number,
  ): Promise<unknown>;
  /** Called when Redis goes away (`true`, and why) and when it is back or first found (`false`). Returns the way to stop listening. */
  onAway(listener: (away: boolean, why: string) => void): () => void;
  /** Waits for the replies that are owed, then ends the connection for good. */
  close(): Promise<void>;
}
