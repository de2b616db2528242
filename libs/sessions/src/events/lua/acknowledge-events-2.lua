--[[
  Done with these events: they are not read again. Notes which sessions they opened and ended, and removes from the stream
  what every group is done with and nobody wants to look at any more.

  KEYS  1 usher:events:{07}
        2 usher:openings:{07}   sorted set: <edge>:<id> by the id of the event that opened it, ms * 1000 + sequence number
  ARGV  1 group  2 how many ids follow, then these; then: remove what is older than this id; openings kept;
        KEYS[2] lives for so long, ms; member, opening ('' = it ended), …
  Returns how many were acknowledged.
  Errors  WRONGTYPE where a key is not ours.
]]
local stream, openings, group = KEYS[1], KEYS[2], ARGV[1]
local ids = tonumber(ARGV[2])
local older, kept, life = ARGV[ids + 3], tonumber(ARGV[ids + 4]), ARGV[ids + 5]
local acknowledged = redis.call('XACK', stream, group, unpack(ARGV, 3, ids + 2))

for i = ids + 6, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('ZREM', openings, ARGV[i])
  else
    redis.call('ZADD', openings, ARGV[i + 1], ARGV[i])
  end
end
redis.call('ZREMRANGEBYRANK', openings, 0, -kept - 1)
redis.call('PEXPIRE', openings, life)

local function parts(id)
  local ms, sequence = string.match(id, '^(%d+)-?(%d*)$')
  return tonumber(ms), tonumber(sequence) or 0
end
local function isLess(a, b)
  local ms, sequence = parts(a)
  local otherMs, otherSequence = parts(b)
  return ms < otherMs or ms == otherMs and sequence < otherSequence
end
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local info = {}
  for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
  local least = info['last-delivered-id']
  if info.pending > 0 then least = redis.call('XPENDING', stream, info.name)[2] or least end
  if isLess(least, older) then older = least end
end
redis.call('XTRIM', stream, 'MINID', older)
return acknowledged
