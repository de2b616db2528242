-- Takes requests of one lane: the normal ones first, with the remaining slots those that may wait. What was taken is
-- removed from the stream, so that its length is what waits, and nothing settled lies about.
--
-- KEYS[1]  stream of requests          KEYS[2]  stream of low requests (same slot)
-- ARGV[1]  group   ARGV[2]  consumer   ARGV[3]  free slots; 0 takes nothing (loads the script)
-- ARGV[4]  last id that the caller took from KEYS[1] by other means, or ''; ARGV[5] likewise of KEYS[2]
-- Returns {entries of KEYS[1], entries of KEYS[2]}. Error NOGROUP where a stream or its group is missing.

local function read(key, count)
  if count < 1 then return {} end
  local found = redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', count, 'NOACK', 'STREAMS', key, '>')
  return found and found[1][2] or {}
end

-- A group hands entries out in the order of their ids: all up to the last one have been taken by somebody.
local function forget(key, entries, takenBefore)
  local last = #entries > 0 and entries[#entries][1] or takenBefore
  if last == '' then return end
  local ms, seq = string.match(last, '^(%d+)-(%d+)$')
  redis.call('XTRIM', key, 'MINID', '=', ms .. '-' .. string.format('%.0f', tonumber(seq) + 1))
end

local free = tonumber(ARGV[3])
local normal = read(KEYS[1], free)
forget(KEYS[1], normal, ARGV[4])
local low = read(KEYS[2], free - #normal)
forget(KEYS[2], low, ARGV[5])
return { normal, low }
