--[[
  Reads one session that lives: its record and how long it is taken for alive, as of one instant.

  KEYS  1 usher:session:{07}:<edge>:<id>  2 usher:alive:{07}
  ARGV  1 member
  Returns {alive-until, field, value, …}; nothing where it is missing, or its time is up.
  Errors  WRONGTYPE where a key is not ours.
]]
local aliveUntil = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not aliveUntil then return false end
local time = redis.call('TIME')
if tonumber(aliveUntil) <= time[1] * 1000 + time[2] / 1000 then return false end
local reply = redis.call('HGETALL', KEYS[1])
if #reply == 0 then return false end
table.insert(reply, 1, aliveUntil)
return reply
