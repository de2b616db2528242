--[[
  Keeps the sealed question of a session, and when it is to be asked again. A session that is asked about anew is due
  anew.

  KEYS  1 usher:due:{07}  2 usher:sealed:{07}:<edge>:<id>
  ARGV  1 member (<edge>:<id>, both encoded)  2 due at (cluster time, ms)  3 sealed question  4 kept for, ms
        5 'anyhow' | 'if-missing': not where a question of the session is there, and when it is due
        6 whoever is overdue for so long, ms, goes: no control looked  7 sessions at most, then those due first go
  Returns 1 where it is kept, else 0
  Errors  WRONGTYPE where KEYS[1] is no sorted set.
]]
if ARGV[5] == 'if-missing' and redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('EXISTS', KEYS[2]) == 1 then
  return 0
end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
-- A few each time, and more than come.
local before = string.format('%.0f', time[1] * 1000 - ARGV[6])
local overdue = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', before, 'LIMIT', 0, 8)
if #overdue > 0 then redis.call('ZREM', KEYS[1], unpack(overdue)) end
if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[7]) then redis.call('ZPOPMIN', KEYS[1], 2) end
-- Longer than it must, so that it is renewed once an hour and not with each of its sessions.
if redis.call('PTTL', KEYS[1]) < ARGV[4] + ARGV[6] then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[4] + ARGV[6] + 3600000))
end
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return 1
