--[[
  Finds a viewer whom a backend allowed lately.

  KEYS  1 usher:known:{07}:<backend>:<part>
  ARGV  1 viewer key  2 kept for, ms
  Returns the entry (see remember-known-1.lua) as a string; nothing where there is none, or it is too old.
  Errors  WRONGTYPE where KEYS[1] is no hash.
]]
local entry = redis.call('HGET', KEYS[1], ARGV[1])
if not entry then return false end
local time = redis.call('TIME')
local allowedAt = tonumber(string.match(entry, '^%d+|(%d+)'))
if not allowedAt or time[1] * 1000 + time[2] / 1000 - allowedAt >= tonumber(ARGV[2]) then return false end
return entry
