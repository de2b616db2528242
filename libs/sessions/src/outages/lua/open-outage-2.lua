--[[
  Opens an outage of a backend, once for the cluster, or finds the one that lasts; or the one that lasted when the caller's
  began: a process that was without Redis comes late with what it knows. Idempotent. Bounds what is kept: of too many
  outages the oldest go, those that no breaker saw before others; of too many lines those of the oldest outages go, and
  their totals stay.

  KEYS  1 usher:outage:{<backend>}        sorted set: tails by start; the keys of each outage are built from it
        2 usher:outage:{<backend>}:open   hash: fault → tail; the tails that are over and not settled → end
  ARGV  1 fault ('backend' | 'us')  2 start (cluster time, ms)  3 since when the breaker is not closed, ms; '' = it is
        4 backend  5 kept so long, ms  6 outages kept  7 lines kept in all
  Returns {'opened' | 'open' | 'ended', tail, start, end ('' while it lasts), 1 if the breaker turned with this call,
          since when it is not closed ('' = no breaker saw it), which one of that name it is ('' = not known)}.
  Errors  WRONGTYPE where a key is not ours.
]]
local outages, open = KEYS[1], KEYS[2]
local fault, start, down, kept = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[5]
-- Those among which a latecomer's may be.
local FEW = 10

local function keyOf(tail) return outages .. ':' .. tail end

local function remove(tail)
  for _, part in ipairs({ '', ':lines', ':nodes', ':checks' }) do redis.call('UNLINK', keyOf(tail) .. part) end
  redis.call('ZREM', outages, tail)
  redis.call('HDEL', open, tail)
end

local function turned(tail)
  if down == '' then return 0 end
  return redis.call('HSETNX', keyOf(tail), 'downSince', down)
end

local tail = redis.call('HGET', open, fault)
if tail and redis.call('EXISTS', keyOf(tail)) == 1 then
  local new = turned(tail)
  local facts = redis.call('HMGET', keyOf(tail), 'start', 'downSince', 'made')
  return { 'open', tail, facts[1], '', new, facts[2] or '', facts[3] or '' }
end

for _, late in ipairs(redis.call('ZREVRANGE', outages, 0, FEW - 1)) do
  local facts = redis.call('HMGET', keyOf(late), 'fault', 'start', 'end', 'made')
  if facts[1] == fault and facts[3] and tonumber(facts[3]) >= start and tonumber(facts[2]) <= start + 60000 then
    return { 'ended', late, facts[2], facts[3], 0, '', facts[4] or '' }
  end
end

local prefix = fault == 'us' and 'us-' or ''
while redis.call('EXISTS', keyOf(prefix .. string.format('%.0f', start))) == 1 do start = start + 1 end
local startText = string.format('%.0f', start)
tail = prefix .. startText
local time = redis.call('TIME')
local made = time[1] .. '.' .. time[2]
redis.call('HSET', keyOf(tail), 'version', 1, 'backend', ARGV[4], 'fault', fault, 'start', startText, 'lastAt', startText,
  'made', made)
redis.call('PEXPIRE', keyOf(tail), kept)
redis.call('ZADD', outages, start, tail)
redis.call('HSET', open, fault, tail)
redis.call('PEXPIRE', outages, kept)
redis.call('PEXPIRE', open, kept)

-- The newest first.
local lines, all = 0, redis.call('ZREVRANGE', outages, 0, -1)
local seen, unseen = {}, {}
for _, one in ipairs(all) do
  if redis.call('EXISTS', keyOf(one)) == 0 then
    remove(one)
  else
    lines = lines + redis.call('HLEN', keyOf(one) .. ':lines')
    if lines > tonumber(ARGV[7]) and redis.call('UNLINK', keyOf(one) .. ':lines', keyOf(one) .. ':checks') > 0 then
      redis.call('HSET', keyOf(one), 'linesGone', 1)
    end
    local list = redis.call('HEXISTS', keyOf(one), 'downSince') == 1 and seen or unseen
    list[#list + 1] = one
  end
end
local over = #seen + #unseen - tonumber(ARGV[6])
for i = 1, over do
  local list = #unseen > 1 and unseen or seen
  if list[#list] ~= tail then remove(table.remove(list)) end
end
return { 'opened', tail, startText, '', turned(tail), down, made }
