--[[
  One page of an index: its sessions after a position, those that match. The order (an edge's part, opened-at, member)
  does not move, so that whoever is there all along is met once, whatever comes and goes meanwhile. What the index names
  and nobody has a record of is taken out of it.

  KEYS  1 usher:alive:{07}  2 usher:channel:{07}:<channel>, or usher:edge:{07}:<edge> for the edge with all its parts
  ARGV  1 'edge' or 'channel'  2 in this part of the edge (1 = KEYS[2], 2 … = :00 …)  3 after this opened-at
        4 and this member ('' = from the beginning)  5 look at so many (≤ 500)  6 find so many
        7 … field, value, … that must be in the record (`edge`: encoded, compared with the member)
  Returns {part, opened-at and member looked at last (member '' = the index is at its end), how many were looked at,
          {member, alive-until, field, value, …} …}.
  Errors  WRONGTYPE where a key is no sorted set.
]]
local part = tonumber(ARGV[2]) or 1
local afterScore, afterMember = tonumber(ARGV[3]) or 0, ARGV[4]
local candidates, limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local indexes = ARGV[1] == 'edge' and edgeKeysOf(string.match(KEYS[2], '[^:]*$')) or { KEYS[2] }

-- As Redis orders members: by bytes; Lua would ask the locale.
local function comesAfter(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- The rank of the first entry after the position, which may be gone itself.
local function rankAfter(index)
  local low, high = 0, redis.call('ZCARD', index)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local entry = redis.call('ZRANGE', index, middle, middle, 'WITHSCORES')
    local score = tonumber(entry[2])
    if score > afterScore or score == afterScore and comesAfter(entry[1], afterMember) then high = middle
    else low = middle + 1 end
  end
  return low
end

local fields, wanted, edge = {}, {}, nil
for i = 7, #ARGV, 2 do
  if ARGV[i] == 'edge' then
    edge = ARGV[i + 1]
  else
    fields[#fields + 1] = ARGV[i]
    wanted[#wanted + 1] = ARGV[i + 1]
  end
end
local function matches(member, key)
  if edge and string.match(member, '^[^:]*') ~= edge then return false end
  if #fields == 0 then return true end
  local values = redis.pcall('HMGET', key, unpack(fields))
  for i = 1, #fields do
    if values[i] ~= wanted[i] then return false end
  end
  return true
end

local found, looked, lastScore, lastMember = {}, 0, '', ''
-- Goes on in one index, as far as it may; true if there may be more in it.
local function look(index)
  local first = afterMember == '' and 0 or rankAfter(index)
  local asked = candidates - looked
  local entries = redis.call('ZRANGE', index, first, first + asked - 1, 'WITHSCORES')
  for i = 1, #entries, 2 do
    if #found == limit then return true end
    local member = entries[i]
    local key = sessionKeyOf(member)
    looked, lastScore, lastMember = looked + 1, entries[i + 1], member
    local aliveUntil = redis.call('ZSCORE', aliveKey, member)
    if not aliveUntil and redis.call('EXISTS', key) == 0 then
      redis.call('ZREM', index, member)
    elseif aliveUntil and matches(member, key) then
      local record = redis.pcall('HGETALL', key)
      if #record > 0 then
        table.insert(record, 1, aliveUntil)
        table.insert(record, 1, member)
        found[#found + 1] = record
      end
    end
  end
  return #entries == asked * 2
end

while indexes[part] do
  local more = look(indexes[part])
  if not more and part < #indexes then more = #found == limit or looked == candidates end
  if more then return { part, lastScore, lastMember, looked, found } end
  part, afterMember = part + 1, ''
end
return { part, '', '', looked, found }
