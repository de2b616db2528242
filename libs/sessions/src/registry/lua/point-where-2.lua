--[[
  Tells at home where a session is that has just been opened in another shard, if nothing of it is at home: so it mostly
  is, and anything else is left to close-session-5.lua.

  KEYS  1 usher:session:{07}:<edge>:<id>, at home  2 usher:where:{07}:<part>, at home
        (usher:revoked:{07} is built from the tag of KEYS[2])
  ARGV  1 member  2 the shard that it is in  3 for so long, ms  4 its fingerprint, the first 16 characters  5 opened at
  Returns 1 if `where` names that shard now; 0 where a record is at home, or `where` names a third shard: nothing is done;
          -1 where it was revoked after it was opened, and is over: nothing is done.
  Errors  WRONGTYPE with the key's name where KEYS[2] is no hash.
]]
local revoked = 'usher:revoked:' .. string.match(KEYS[2], '{[^}]*}')
local revokedAt = redis.pcall('ZSCORE', revoked, ARGV[1] .. ':' .. ARGV[4])
if type(revokedAt) == 'string' and tonumber(ARGV[5]) <= tonumber(revokedAt) then return -1 end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local where = redis.pcall('HGET', KEYS[2], ARGV[1])
if type(where) == 'table' then
  return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is a ' .. redis.call('TYPE', KEYS[2]).ok .. ', not a hash')
end
if not where then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
elseif where ~= ARGV[2] then return 0 end
-- Longer than it must, so that it is renewed once an hour and not with each of its sessions.
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', ARGV[3] + 3600000))
end
return 1
