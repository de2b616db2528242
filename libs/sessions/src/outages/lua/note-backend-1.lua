--[[
  Notes that a backend has outages: one that is no longer configured is found by it. Idempotent. Of too many those go whose
  last outage began first.

  KEYS  1 usher:outages   sorted set: backends by the start of their last outage
  ARGV  1 backend  2 start (cluster time, ms)  3 kept so long, ms  4 backends kept
  Returns 1.
  Errors  WRONGTYPE where the key is not ours.
]]
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -tonumber(ARGV[4]) - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
