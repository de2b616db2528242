--[[
  Notes something in an outage's record, if it is not there yet: of several that notice it, one tells of it.

  KEYS  1 usher:outage:{<backend>}:<tail>
  ARGV  1 field  2 value
  Returns 1 if it was noted by this call, else 0.
  Errors  WRONGTYPE where the key is not ours.
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
