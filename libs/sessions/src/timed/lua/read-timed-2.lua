--[[
  The changes to a table of records after one of them, oldest first.

  KEYS  1 usher:{holds} | usher:{switches}  2 the same with :order
  ARGV  1 the last change that is known (0: none)  2 changes at most
  Returns {epoch ('' where there is no table), last change of all, name, change, record, …}
  Errors  WRONGTYPE where a key is not ours.
]]
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or '0'
local reply = { redis.call('HGET', KEYS[1], '#epoch') or '', last }
local changes = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[2])
for i = 1, #changes, 2 do
  reply[#reply + 1] = changes[i]
  reply[#reply + 1] = changes[i + 1]
  reply[#reply + 1] = redis.call('HGET', KEYS[1], changes[i]) or ''
end
return reply
