--[[
  Takes a lease that is free, renews one's own, or lets one's own go.

  KEYS  1 usher:lease:<job>:<part>
  ARGV  1 owner  2 for so long, ms; 0 lets it go
  Returns 1 if the owner holds it now, else 0.
]]
local owner = redis.call('GET', KEYS[1])
if ARGV[2] == '0' then
  if owner == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return 0
end
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
