--[[
  Counts the sessions of a shard anew from their records. Only needed where records were lost by their TTL because
  nobody swept for an hour; holds Redis up for about 1 µs a session.

  KEYS  1 usher:alive:{07}  2 usher:counts:{07}
  Returns how many sessions were counted.
  Errors  WRONGTYPE where KEYS[1] is no sorted set.
]]
local members = redis.call('ZRANGE', aliveKey, 0, -1)
redis.call('DEL', KEYS[2])
local sums = {}
for _, member in ipairs(members) do
  local hash = redis.pcall('HMGET', sessionKeyOf(member), 'presence', 'state')
  if hash[1] and hash[2] then
    for _, name in ipairs({ 'presence:' .. hash[1], 'state:' .. hash[2] }) do sums[name] = (sums[name] or 0) + 1 end
  end
end
for name, sum in pairs(sums) do redis.call('HSET', KEYS[2], name, sum) end
return #members
