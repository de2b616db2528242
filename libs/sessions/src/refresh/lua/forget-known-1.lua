--[[
  Forgets that a backend allowed a viewer, where it was this user, and not after a time.

  KEYS  1 usher:known:{07}:<backend>:<part>
  ARGV  1 viewer key  2 user, encoded  3 allowed no later than (cluster time, ms)
  Returns 1 where something was forgotten, else 0
  Errors  WRONGTYPE where KEYS[1] is no hash.
]]
local entry = redis.call('HGET', KEYS[1], ARGV[1])
local allowedAt, user = string.match(entry or '', '^1|(%d+)|([^|]*)|')
if user ~= ARGV[2] or tonumber(allowedAt) > tonumber(ARGV[3]) then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
