--[[
  Remembers that a backend allowed a viewer, with the newest fingerprints of whom each was allowed until when. Viewers
  of one part share a hash, whose entries have no TTL of their own: the hash lives an eighth longer than a viewer is
  remembered, and whoever has to renew that takes out whom nobody allowed for too long.

  KEYS  1 usher:known:{07}:<backend>:<part>
  ARGV  1 viewer key  2 user  3 name to show, empty where it is the user  4 fingerprint (its first 16 characters)
        5 authorized-until (cluster time, ms; 0 = as long as the session lives)  6 kept for, ms  7 fingerprints kept
  An entry: 1|<allowed at>|<user>|<name>|<fingerprint>,<fingerprint>:<authorized-until>,… the newest first; the 1 is
  the version. Where another user than the one before was named, |<when that was last> stands behind it: this is no one
  person's device, but a hotel, or fifty equal boxes.
  Returns the number of fingerprints that are remembered now.
  Errors  WRONGTYPE where KEYS[1] is no hash.
]]
local viewer, mine, keptFor, most = ARGV[1], ARGV[4], tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local grants = { ARGV[5] == '0' and mine or mine .. ':' .. ARGV[5] }
local before = redis.call('HGET', KEYS[1], viewer)
local userBefore, granted, mixedAt = string.match(before or '', '^1|%d+|([^|]*)|[^|]*|([^|]*)|?(%d*)$')
if (userBefore or '') ~= '' and ARGV[2] ~= '' and userBefore ~= ARGV[2] then
  mixedAt = string.format('%.0f', now)
end
for grant in string.gmatch(granted or '', '[^,]+') do
  if #grants < most and string.match(grant, '^[^:]*') ~= mine then grants[#grants + 1] = grant end
end
local entry = { '1', string.format('%.0f', now), ARGV[2], ARGV[3], table.concat(grants, ',') }
if (mixedAt or '') ~= '' then entry[#entry + 1] = mixedAt end
redis.call('HSET', KEYS[1], viewer, table.concat(entry, '|'))

if redis.call('PTTL', KEYS[1]) < keptFor then
  local entries = redis.call('HGETALL', KEYS[1])
  for i = 1, #entries, 2 do
    local allowedAt = tonumber(string.match(entries[i + 1], '^%d+|(%d+)'))
    if not allowedAt or now - allowedAt >= keptFor then redis.call('HDEL', KEYS[1], entries[i]) end
  end
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keptFor * 9 / 8))
end
return #grants
