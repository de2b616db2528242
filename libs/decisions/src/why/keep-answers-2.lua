--[[
  Puts answers in front of one list, the last 20 of a user or an address, and bounds the number of lists in the shard.

  KEYS[1]  list: usher:why:{shard}:user:… or :ip:…
  KEYS[2]  sorted set: usher:why:{shard}:lists, every list of the shard by its last answer, s
  ARGV[1]  answers that a list holds
  ARGV[2]  seconds that a list lives after its last answer
  ARGV[3]  lists that the shard holds; the ones silent for longest are deleted first
  ARGV[4…] answers, JSON, the oldest first

  Returns how many lists were deleted for room. The deleted ones share the slot of KEYS.
]]
local list, lists = KEYS[1], KEYS[2]
local ttl = tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])

for i = 4, #ARGV do
  redis.call('LPUSH', list, ARGV[i])
end
redis.call('LTRIM', list, 0, tonumber(ARGV[1]) - 1)
redis.call('EXPIRE', list, ttl)

redis.call('ZADD', lists, now, list)
redis.call('ZREMRANGEBYSCORE', lists, '-inf', '(' .. (now - ttl))
redis.call('EXPIRE', lists, ttl)

local over = redis.call('ZCARD', lists) - tonumber(ARGV[3])
local deleted = 0
if over > 0 then
  -- A few at a time: nobody waits for a clean-up.
  local oldest = redis.call('ZPOPMIN', lists, math.min(over, 8))
  for i = 1, #oldest, 2 do
    deleted = deleted + redis.call('DEL', oldest[i])
  end
end
return deleted
