--[[
  Reads one session that lives: its record and how long it is taken for alive, as of one instant; at home also where it
  is, and whether it was revoked and is over.

  KEYS  1 usher:session:{07}:<edge>:<id>  2 usher:alive:{07}
        3 usher:where:{07}:<part> in the session's home shard; elsewhere KEYS[2]
        (usher:revoked:{07} is built from the tag of KEYS[2])
  ARGV  1 member  2 the fingerprint that is asked about, its first 16 characters ('' = none)
  Returns {the shard that `where` names ('' = none), alive-until, field, value, …}; where the session is missing, or its
          time is up, the shard alone, no list, or {the shard, when} where one with this fingerprint was revoked and
          is over. Garbage under KEYS[3] names the shard '?'.
  Errors  WRONGTYPE where KEYS[1] or KEYS[2] is not ours.
]]
local where = KEYS[3] ~= KEYS[2] and redis.pcall('HGET', KEYS[3], ARGV[1]) or ''
if type(where) == 'table' then where = '?' end
local function none()
  if ARGV[2] == '' or KEYS[3] == KEYS[2] then return where end
  local revoked = 'usher:revoked:' .. string.match(KEYS[2], '{[^}]*}')
  local at = redis.pcall('ZSCORE', revoked, ARGV[1] .. ':' .. ARGV[2])
  return type(at) == 'string' and { where or '', at } or where
end
local aliveUntil = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not aliveUntil then return none() end
local time = redis.call('TIME')
if tonumber(aliveUntil) <= time[1] * 1000 + time[2] / 1000 then return none() end
local reply = redis.call('HGETALL', KEYS[1])
if #reply == 0 then return none() end
table.insert(reply, 1, aliveUntil)
table.insert(reply, 1, where)
return reply
