--[[
  One page of an index: its sessions after a position, those that match. The order (opened-at, then member) does not
  move, so that whoever is there all along is met once, whatever comes and goes meanwhile. What the index names and
  nobody has a record of is taken out of it.

  KEYS  1 usher:alive:{07}  2 usher:channel:{07}:<channel> or usher:edge:{07}:<edge>
  ARGV  1 after this opened-at  2 and this member ('' = from the beginning)  3 look at so many (≤ 500)
        4 find so many  5 … field, value, … that must be in the record (`edge`: encoded, compared with the member)
  Returns {opened-at and member looked at last ('' = the index is at its end), how many were looked at,
          {member, alive-until, field, value, …} …}.
  Errors  WRONGTYPE where a key is no sorted set.
]]
local index = KEYS[2]
local afterScore, afterMember = tonumber(ARGV[1]) or 0, ARGV[2]
local candidates, limit = tonumber(ARGV[3]), tonumber(ARGV[4])

-- As Redis orders members: by bytes; Lua would ask the locale.
local function comesAfter(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

-- The rank of the first entry after the position, which may be gone itself.
local function rankAfter()
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
for i = 5, #ARGV, 2 do
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

local first = afterMember == '' and 0 or rankAfter()
local entries = redis.call('ZRANGE', index, first, first + candidates - 1, 'WITHSCORES')
local found, looked, lastScore, lastMember = {}, 0, '', ''
for i = 1, #entries, 2 do
  if #found == limit then break end
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
if looked * 2 == #entries and looked < candidates then lastScore, lastMember = '', '' end
return { lastScore, lastMember, looked, found }
