--[[
  Reads on in a shard's events, for the one process that has the shard: one group, whose one consumer is whoever holds
  the lease. Makes the group where it is missing (a first start, a Redis that came back empty); it begins with the oldest
  event that is there.

  KEYS  1 usher:events:{07}
        2 usher:heard:{07}   hash: read, how many of all entries ever added were read
  ARGV  1 '0' = those that were read and not acknowledged; '>' = new ones  2 at most so many  3 group
        4 KEYS[2] lives for so long, ms
  Returns {how many were pushed out of the stream unread, how many wait after these, {id, {field, value …} or nothing} …}.
  Errors  WRONGTYPE where KEYS[1] is no stream.
]]
local stream, heard, from, group = KEYS[1], KEYS[2], ARGV[1], ARGV[3]
if redis.call('EXISTS', stream) == 0 then return { 0, 0, {} } end

local reply = redis.call('XINFO', 'STREAM', stream)
local info = {}
for i = 1, #reply, 2 do info[reply[i]] = reply[i + 1] end
-- Entries leave at the front only: so many of the first ones are gone.
local added, gone = info['entries-added'], info['entries-added'] - info['length']

local function read()
  return redis.pcall('XREADGROUP', 'GROUP', group, group, 'COUNT', ARGV[2], 'STREAMS', stream, from)
end
local found = read()
if found and found.err and string.find(found.err, '^NOGROUP') then
  redis.call('XGROUP', 'CREATE', stream, group, '0')
  redis.call('HSET', heard, 'read', gone)
  found = read()
end
if found and found.err then return redis.error_reply(found.err) end
local entries = found and found[1] and found[1][2] or {}

-- A failover may have taken back what was added; a note that is missing is as if nothing had been missed.
local noted = tonumber(redis.call('HGET', heard, 'read') or '')
local before = math.min(noted or added - #entries, added)
local missed, after = math.max(0, gone - before), math.max(before, gone)
if from == '>' then after = after + #entries end
if after ~= noted then
  redis.call('HSET', heard, 'read', string.format('%.0f', after))
  redis.call('PEXPIRE', heard, ARGV[4])
end
return { missed, math.max(0, added - after), entries }
