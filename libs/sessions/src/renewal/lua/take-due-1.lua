--[[
  The sessions that are due, the longest due first. Each is put back for a while: who takes it says afterwards when it is
  due again, or drops it; where he dies, somebody takes it again.

  KEYS  1 usher:due:{07}  (the keys of the questions, usher:sealed:{07}:<member>, are built here from its tag)
  ARGV  1 sessions at most  2 put back for, ms
  Returns {member, sealed question ('' where it is gone), …}
  Errors  WRONGTYPE where KEYS[1] is no sorted set.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local tag = string.match(KEYS[1], '{[^}]*}')
local reply = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])) do
  redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + ARGV[2]), member)
  reply[#reply + 1] = member
  reply[#reply + 1] = redis.call('GET', 'usher:sealed:' .. tag .. ':' .. member) or ''
end
return reply
