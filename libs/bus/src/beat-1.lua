-- One beat of one process: writes its own record, drops those that fell silent, returns all that live.
--
-- KEYS[1]  hash: id -> JSON that begins with {"at":<ms by Redis' clock>
-- ARGV[1]  own id    ARGV[2]  own record: the JSON after "at" (',"role":…}'), or '' to leave
-- ARGV[3]  a record is valid this long, ms
-- Returns {now, id, record, id, record …}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], '{"at":' .. string.format('%.0f', now) .. ARGV[2])
end
local all = redis.call('HGETALL', KEYS[1])
local living = { now }
for i = 1, #all, 2 do
  local at = tonumber(string.match(all[i + 1], '^{"at":(%d+)'))
  -- A record from the future is of a Redis whose clock ran ahead: it would never expire.
  if at and math.abs(now - at) <= tonumber(ARGV[3]) then
    living[#living + 1] = all[i]
    living[#living + 1] = all[i + 1]
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3] * 10)
return living
