/** Redis is taken for away, or the connection was lost before the reply. The command may or may not have run. */
export class RedisAwayError extends Error {
  readonly code = 'REDIS_AWAY';
  override readonly name = 'RedisAwayError';
}

/** No reply within the command's deadline. The command may still run later: what is sent must be idempotent. */
export class RedisTimeoutError extends Error {
  readonly code = 'REDIS_TIMEOUT';
  override readonly name = 'RedisTimeoutError';
}
