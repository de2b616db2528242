--[[
  Forgets that a backend allowed a viewer, where it was this user, and not after a time.

  KEYS  1 usher:known:{07}:<backend>:<part>  2 usher:known:{07}:<backend>:<viewer key>, as an earlier version wrote it
  ARGV  1 viewer key  2 user, encoded  3 allowed no later than (cluster time, ms)
  Returns 1 where something was forgotten, else 0
  Errors  WRONGTYPE where a key is no hash.
]]
local function isMeant(user, allowedAt)
  return user == ARGV[2] and (tonumber(allowedAt) or 0) <= tonumber(ARGV[3])
end

local forgotten = 0
local entry = redis.call('HGET', KEYS[1], ARGV[1])
local allowedAt, user = string.match(entry or '', '^1|(%d+)|([^|]*)|')
if user and isMeant(user, allowedAt) then forgotten = redis.call('HDEL', KEYS[1], ARGV[1]) end
local earlier = redis.call('HMGET', KEYS[2], 'user', 'allowedAt')
if earlier[1] and isMeant(earlier[1], earlier[2]) then forgotten = redis.call('DEL', KEYS[2]) end
return forgotten
