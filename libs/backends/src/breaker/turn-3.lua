--[[
  Turns a backend's breaker, if it is still as the caller saw it: of several that decide at once one succeeds.
  Ends the lease; where the state becomes another one, ends the votes as well: they were about the old one.

  KEYS[1]  usher:breaker:{<backend>}         hash: the record
  KEYS[2]  usher:breaker:{<backend>}:votes   hash
  KEYS[3]  usher:breaker:{<backend>}:lease   string: who probes

  ARGV[1]  the epoch that the caller saw; 0: no record
  ARGV[2]  state: closed | suspended | half-open | ramping
  ARGV[3]  rateBefore, calls/s
  ARGV[4]  goodProbes
  ARGV[5]  step
  ARGV[6]  the process that turns it
  ARGV[7]  the lease that must still be held, or empty

  Returns  the new record as field, value …; nothing where it was turned before, or the lease is no longer held.
]]
local DAY = 86400000

local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '0')
if epoch ~= tonumber(ARGV[1]) then
  return {}
end
if ARGV[7] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[7] then
  return {}
end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HGET', KEYS[1], 'state') or 'closed'
local down = tonumber(redis.call('HGET', KEYS[1], 'downSince') or '0')
if ARGV[2] == 'closed' then
  down = 0
elseif down == 0 then
  down = now
end

redis.call('HSET', KEYS[1],
  'version', 1,
  'state', ARGV[2],
  'epoch', string.format('%.0f', math.max(epoch + 1, now)),
  'since', string.format('%.0f', now),
  'downSince', string.format('%.0f', down),
  'rateBefore', ARGV[3],
  'goodProbes', ARGV[4],
  'step', ARGV[5],
  'by', ARGV[6])
redis.call('PEXPIRE', KEYS[1], DAY)
redis.call('DEL', KEYS[3])
if ARGV[2] ~= before then
  redis.call('DEL', KEYS[2])
end
return redis.call('HGETALL', KEYS[1])
