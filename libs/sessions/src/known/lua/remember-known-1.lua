--[[
  Remembers that a backend allowed a viewer, with the newest fingerprints of whom each was allowed until when.

  KEYS  1 usher:known:{07}:<backend>:<viewer key>
  ARGV  1 user  2 name to show  3 fingerprint (its first 16 characters)  4 authorized-until (cluster time, ms; 0 = as
        long as the session lives)  5 kept for, ms  6 fingerprints kept
  The hash: user, name, allowedAt, and for each grant g:<fingerprint> → <authorized-until>|<allowed at>.
  Returns the number of fingerprints that are remembered now.
  Errors  WRONGTYPE where KEYS[1] is no hash.
]]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local reply = redis.call('HGETALL', KEYS[1])
local grants, mine = {}, 'g:' .. ARGV[3]
for i = 1, #reply, 2 do
  local at = string.match(reply[i + 1], '|(%d+)$')
  if string.sub(reply[i], 1, 2) == 'g:' and reply[i] ~= mine then
    grants[#grants + 1] = { field = reply[i], at = tonumber(at) or 0 }
  end
end
table.sort(grants, function(a, b) return a.at > b.at end)
local kept = tonumber(ARGV[6])
for i = kept, #grants do redis.call('HDEL', KEYS[1], grants[i].field) end
redis.call('HSET', KEYS[1], 'user', ARGV[1], 'name', ARGV[2], 'allowedAt', now, mine, ARGV[4] .. '|' .. now)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return math.min(#grants + 1, kept)
