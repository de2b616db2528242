--[[
  Puts answers in front of lists of one shard, the last 20 of a user or an address each, and bounds the number of lists.

  KEYS[1]  sorted set: usher:why:{shard}:lists, every list of the shard by its last answer, s
  ARGV[1]  answers that a list holds
  ARGV[2]  seconds that a list lives after its last answer
  ARGV[3]  lists that the shard holds; the ones silent for longest are deleted first
  ARGV[4…] list, answer, list, answer …: usher:why:{shard}:user:… or :ip:…, which share the slot of KEYS; JSON, the
           oldest first

  Returns how many lists were deleted for room.
  Errors  WRONGTYPE where one of the lists is none: the others are written all the same.
]]
local lists = KEYS[1]
local ttl = tonumber(ARGV[2])
local now = tonumber(redis.call('TIME')[1])

local written, count, failed = {}, 0, nil
for i = 4, #ARGV, 2 do
  local list = ARGV[i]
  local reply = redis.pcall('LPUSH', list, ARGV[i + 1])
  if type(reply) == 'table' then failed = reply
  elseif not written[list] then written[list], count = true, count + 1 end
end
for list in pairs(written) do
  redis.call('LTRIM', list, 0, tonumber(ARGV[1]) - 1)
  redis.call('EXPIRE', list, ttl)
  redis.call('ZADD', lists, now, list)
end
redis.call('ZREMRANGEBYSCORE', lists, '-inf', '(' .. (now - ttl))
redis.call('EXPIRE', lists, ttl)

local over = redis.call('ZCARD', lists) - tonumber(ARGV[3])
local deleted = 0
if over > 0 then
  -- Only a few more than came: nobody waits for a clean-up.
  local oldest = redis.call('ZPOPMIN', lists, math.min(over, count + 8))
  for i = 1, #oldest, 2 do
    deleted = deleted + redis.call('DEL', oldest[i])
  end
end
return failed or deleted
