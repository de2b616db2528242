--[[
  Ends an outage, once: at a time, or, of one that no breaker saw, once nobody was answered without a decision for long.

  KEYS  1 usher:outage:{<backend>}:open     hash: fault → tail; the tails that are over and not settled → end
        2 usher:outage:{<backend>}:<tail>   hash: the record
  ARGV  1 fault  2 tail  3 end (cluster time, ms); '' = if it is quiet  4 quiet, ms
  Returns the end if this call ended it, else ''.
  Errors  WRONGTYPE where a key is not ours.
]]
local open, record, fault, tail = KEYS[1], KEYS[2], ARGV[1], ARGV[2]

if redis.call('HGET', open, fault) ~= tail then return '' end
local facts = redis.call('HMGET', record, 'start', 'lastAt', 'downSince')
if not facts[1] then
  redis.call('HDEL', open, fault)
  return ''
end
local ending = tonumber(ARGV[3])
if not ending then
  if facts[3] then return '' end
  local time = redis.call('TIME')
  ending = tonumber(facts[2]) + tonumber(ARGV[4])
  if ending > time[1] * 1000 + time[2] / 1000 then return '' end
end
local text = string.format('%.0f', math.max(ending, tonumber(facts[1])))
redis.call('HSET', record, 'end', text)
redis.call('HDEL', open, fault)
redis.call('HSET', open, tail, text)
return text
