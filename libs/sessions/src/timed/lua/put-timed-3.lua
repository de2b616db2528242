--[[
  Sets a record that counts until a time, lifts one, or offers one back to a Redis that may have lost it. A record that is
  lifted stays as `lifted` until its time is up, so that nobody who missed that can offer it back. Each change gets a
  number that rises (the microsecond of the change): who knows the last one reads only what came after it.

  KEYS  1 usher:{holds} | usher:{switches}  2 the same with :order  3 the same with :until
  ARGV  1 name (<kind>:<subject>)  2 'set' | 'lift' | 'offer'
        3 since (cluster time, ms; of an offer: it counts if what is here is older)
        4 until (cluster time, ms; 0: from now for ARGV 5)  5 lasts, ms  6 lasts at most, ms
        7 within, ms: set again so soon after the last time, it lasts twice as long as then (0: never)
        8 records at most  9 the rest of the record, JSON; of one that is lifted it holds "effect":"lifted"
  The record: <since>|<until>|<how often doubled>|<JSON>.
  Returns {'held', the record} | {'kept', the record that is here} (an offer that is older) | {'gone', ''} (nothing to
          lift) | {'full', ''}.
  Errors  WRONGTYPE where a key is not ours.
]]
local records, order, ends = KEYS[1], KEYS[2], KEYS[3]
local name, mode, lasts, within = ARGV[1], ARGV[2], tonumber(ARGV[5]), tonumber(ARGV[7])
-- A record that is over is remembered so long: the next one of its name may double. Milliseconds.
local REMEMBERED = 600000
local MANY = 100

local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local function text(number) return string.format('%.0f', number) end

for _, old in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, MANY)) do
  redis.call('HDEL', records, old)
  redis.call('ZREM', order, old)
  redis.call('ZREM', ends, old)
end

local here = redis.call('HGET', records, name)
local hereSince, hereUntil, hereLevel = string.match(here or '', '^(%d+)|(%d+)|(%d+)|')
hereSince, hereUntil, hereLevel = tonumber(hereSince) or 0, tonumber(hereUntil) or 0, tonumber(hereLevel) or 0

local since, untilTime, level = tonumber(ARGV[3]), tonumber(ARGV[4]), 0
if mode == 'offer' then
  if here and hereSince >= since then return { 'kept', here } end
else
  since = math.max(now, hereSince + 1)
  if mode == 'lift' then
    local isLifted = string.find(here or '', '"effect":"lifted"', 1, true)
    if isLifted or hereUntil <= now then return { 'gone', '' } end
    untilTime = hereUntil
  elseif untilTime == 0 then
    if here and within > 0 and now - hereSince < within then
      level = math.min(hereLevel + 1, 30)
      lasts = math.min(lasts * 2 ^ level, tonumber(ARGV[6]))
    end
    untilTime = now + lasts
  end
end
if untilTime <= now then return { 'gone', '' } end
if not here and redis.call('HLEN', records) >= tonumber(ARGV[8]) then return { 'full', '' } end

local last = redis.call('ZREVRANGE', order, 0, 0, 'WITHSCORES')[2]
-- Another one than before tells that this table was empty in between.
redis.call('HSETNX', records, '#epoch', text(micros))
local record = text(since) .. '|' .. text(untilTime) .. '|' .. level .. '|' .. ARGV[9]
redis.call('HSET', records, name, record)
redis.call('ZADD', order, text(math.max(micros, (tonumber(last) or 0) + 1)), name)
redis.call('ZADD', ends, text(untilTime + REMEMBERED), name)
local longest = redis.call('ZREVRANGE', ends, 0, 0, 'WITHSCORES')[2]
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, text(tonumber(longest))) end
return { 'held', record }
