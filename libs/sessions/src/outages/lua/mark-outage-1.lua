--[[
  Notes something in an outage's record: once, if it is not there yet, so that of several that notice it one tells of it; or
  anew, in place of what was noted before.

  KEYS  1 usher:outage:{<backend>}:<tail>
  ARGV  1 field  2 value  3 'once' | 'anew'
  Returns 1 if it was noted by this call, or for the first time, else 0.
  Errors  WRONGTYPE where the key is not ours.
]]
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
return redis.call(ARGV[3] == 'anew' and 'HSET' or 'HSETNX', KEYS[1], ARGV[1], ARGV[2])
