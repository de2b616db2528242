--[[
  One process writes what it has for an outage's ledger: its totals as they are without the new lines of this call, and
  lines. A line belongs to the process that wrote it first; one of a session that ended, and is let in again elsewhere,
  goes over and is counted as no further session. What is accepted is added to the totals here: written twice, after a
  lost reply, everything stands as after once. A line: node|from|since|until|ms|base|result|resultAt|estimated|JSON.

  KEYS  1 usher:outage:{<backend>}:<tail>          hash: the record
        2 usher:outage:{<backend>}:<tail>:lines    hash: who in which column → line
        3 usher:outage:{<backend>}:<tail>:nodes    hash: process → at|state|totals
        4 usher:outage:{<backend>}:<tail>:checks   hash: line's field → sealed check
  ARGV  1 node  2 state ('open': more may come | 'done' | 'left')  3 its totals, 14 numbers (ledger-totals.ts)
        4 the last answer without a decision, ms  5 lines kept  6 kept so long, ms  7 sealed checks kept so long, ms
        8 processes that may have something too (<id>/<heard last, ms>, …)  9 start that the totals count from, ms
        10 which one of that name it is, as `open` told ('' = any): one that another process has opened anew, since Redis
        lost it, lacks our lines
        11 … lines, eleven each: field, column (0, 1, 2), 1 if it is new to the totals, from, since, until, ms, result,
        resultAt, JSON, sealed check; JSON and sealed check '' = as they are
  Returns {'gone' (no such outage, or another one of that name) | 'open' | 'ended', end, for each line 'mine' | 'again' | 'theirs' | 'full'}.
  Errors  WRONGTYPE where a key is not ours.
]]
local record, lines, nodes, checks = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local node, cap, kept, start = ARGV[1], tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[9])
local FIRST, SIZE = 11, 11

local facts = redis.call('HMGET', record, 'start', 'end', 'lastAt', 'made')
if not facts[1] or (ARGV[10] ~= '' and facts[4] ~= ARGV[10]) then return { 'gone', '' } end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))

local totals = {}
for number in string.gmatch(ARGV[3], '[^,]+') do totals[#totals + 1] = tonumber(number) end

local function parse(line)
  return string.match(line, '^([^|]*)|(%-?%d*)|(%-?%d*)|(%-?%d*)|(%-?%d*)|(%d*)|([^|]*)|(%d*)|(%d*)|(.*)$')
end

-- Of two results the one that counts: what the backend said; that a session is gone says less than anything.
local function stands(new, old)
  if new == '' or new == 'gone' and old ~= '' then return old end
  return new
end

local held = redis.call('HLEN', lines)
local function put(at)
  local field, from, since, untilTime, ms = ARGV[at], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  local result, resultAt, json, sealed = ARGV[at + 7], ARGV[at + 8], ARGV[at + 9], ARGV[at + 10]
  local old = redis.call('HGET', lines, field)
  local base, estimated, status = '', '0', 'mine'
  if old then
    local owner, oldFrom, oldSince, oldUntil, oldMs, oldBase, oldResult, oldAt, oldGuess, oldJson = parse(old)
    if owner ~= node then
      if oldSince ~= '0' or ms == '0' and since == '0' then
        if stands(result, oldResult) == result and result ~= '' then
          redis.call('HSET', lines, field, table.concat(
            { owner, oldFrom, oldSince, oldUntil, oldMs, oldBase, result, resultAt, oldGuess, oldJson }, '|'))
        end
        return 'theirs'
      end
      base = string.format('%.0f', tonumber(oldMs) + (tonumber(oldBase) or 0))
      from = oldFrom
    else
      base = oldBase
      if base ~= '' then from = oldFrom end
      -- What control found out meanwhile.
      if stands(result, oldResult) ~= result then result, resultAt = oldResult, oldAt end
      if since == '0' or oldUntil == untilTime then estimated = oldGuess end
    end
    if json == '' then json = oldJson end
    if base ~= '' then status = 'again' end
  elseif held >= cap or json == '' then
    return 'full'
  else
    held = held + 1
  end
  redis.call('HSET', lines, field, table.concat(
    { node, from, since, untilTime, ms, base, result, resultAt, estimated, json }, '|'))
  if sealed ~= '' then redis.call('HSET', checks, field, sealed) end
  return status
end

local reply = { facts[2] and 'ended' or 'open', facts[2] or '' }
for at = FIRST, #ARGV - SIZE + 1, SIZE do
  local status = put(at)
  reply[#reply + 1] = status
  if status ~= 'theirs' and ARGV[at + 2] == '1' then
    local first, since = 4 * tonumber(ARGV[at + 1]), tonumber(ARGV[at + 4])
    if status ~= 'again' then totals[first + 1] = totals[first + 1] + 1 end
    if since ~= 0 then
      totals[first + 2] = totals[first + 2] + 1
      totals[first + 3] = totals[first + 3] + since - start
    end
    totals[first + 4] = totals[first + 4] + tonumber(ARGV[at + 6])
  end
end

for i = 1, #totals do totals[i] = string.format('%.0f', totals[i]) end
redis.call('HSET', nodes, node, now .. '|' .. ARGV[2] .. '|' .. table.concat(totals, ','))
for other, heard in string.gmatch(ARGV[8], '([^,/]+)/(%d+)') do
  redis.call('HSETNX', nodes, other, heard .. '|expected|')
end
if tonumber(ARGV[4]) > tonumber(facts[3] or '0') then redis.call('HSET', record, 'lastAt', ARGV[4]) end
for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], kept) end
redis.call('PEXPIRE', checks, ARGV[7])
return reply
