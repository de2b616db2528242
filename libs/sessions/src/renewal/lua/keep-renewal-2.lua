--[[
  Keeps the sealed question of a session, and when it is to be asked again. A session that is asked about anew is due
  anew.

  KEYS  1 usher:due:{07}  2 usher:sealed:{07}:<edge>:<id>
  ARGV  1 member (<edge>:<id>, both encoded)  2 due at (cluster time, ms)  3 sealed question  4 kept for, ms
        5 'anyhow' | 'if-missing': not where a question of the session is there, and when it is due
  Returns 1 where it is kept, else 0
  Errors  WRONGTYPE where KEYS[1] is no sorted set.
]]
if ARGV[5] == 'if-missing' and redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
