--[[
  Reads a backend's breaker and the votes of the last 10 s; casts a vote first where one is given. Idempotent.

  KEYS[1]  usher:breaker:{<backend>}         hash: the record
  KEYS[2]  usher:breaker:{<backend>}:votes   hash: <host>/<process> → <opinion>:<calls>:<calls/s>:<cast at, ms>

  ARGV[1]  <host>/<process>, or empty: no vote is cast
  ARGV[2]  <opinion>:<calls>:<calls/s>

  Returns  { record as field, value …; votes as field, value … }. An empty record was never written, or is lost.
]]
local VALID = 10000
local DAY = 86400000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if ARGV[1] ~= '' then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2] .. ':' .. string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[2], VALID)
end

local votes = redis.call('HGETALL', KEYS[2])
local fresh = {}
for i = 1, #votes, 2 do
  local at = tonumber(string.match(votes[i + 1], ':(%d+)$'))
  if at and now - at < VALID then
    fresh[#fresh + 1] = votes[i]
    fresh[#fresh + 1] = votes[i + 1]
  else
    redis.call('HDEL', KEYS[2], votes[i])
  end
end

local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left < DAY / 2 then
  redis.call('PEXPIRE', KEYS[1], DAY)
end
return { redis.call('HGETALL', KEYS[1]), fresh }
