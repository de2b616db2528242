--[[
  Writes what was found out about lines afterwards. An end that nobody told corrects the totals of the line's process. Idempotent.

  KEYS  1 usher:outage:{<backend>}:<tail>:lines    hash: who in which column → line (see write-ledger-4.lua)
        2 usher:outage:{<backend>}:<tail>:nodes    hash: process → at|state|totals
        3 usher:outage:{<backend>}:<tail>:checks   hash: line's field → sealed check
  ARGV  1 the outage's start, ms  2 … five each: field, column (0, 1, 2), when it ended (ms; '' = it is not known to have),
        result ('' = none), 1 if its time is an estimate; then the time of the result (last)
  Returns how many lines changed.
  Errors  WRONGTYPE where a key is not ours.
]]
local lines, nodes, checks = KEYS[1], KEYS[2], KEYS[3]
local start, at = tonumber(ARGV[1]), ARGV[#ARGV]
local changed = 0
-- What the backend said counts for more than what became of the session without that.
local ANSWERED = { kept = true, cut = true, denied = true, ['came-back'] = true, refused = true }
-- Of whom we cut ourselves it counts what he does next; that he is gone says nothing new.
local SAID = { gone = true, recycled = true }

local function stands(new, old)
  -- Refused, and not cut yet.
  if old == 'denied' then return new == 'cut' or new == 'gone' end
  if ANSWERED[old] then return false end
  return ANSWERED[new] or new == 'recycled' or not SAID[old]
end

-- One session of a column no longer runs since `since`; it played for `ms`.
local function correct(node, column, since, ms)
  local value = redis.call('HGET', nodes, node)
  local head, text = string.match(value or '', '^(%d+|[^|]*|)(.+)$')
  if not head then return end
  local totals = {}
  for number in string.gmatch(text, '[^,]+') do totals[#totals + 1] = tonumber(number) end
  local first = 4 * column
  totals[first + 2] = totals[first + 2] - 1
  totals[first + 3] = totals[first + 3] - (since - start)
  totals[first + 4] = totals[first + 4] + ms
  for i = 1, #totals do totals[i] = string.format('%.0f', totals[i]) end
  redis.call('HSET', nodes, node, head .. table.concat(totals, ','))
end

for i = 2, #ARGV - 5, 5 do
  local field, column, ended, result, guess = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local old = redis.call('HGET', lines, field)
  if old then
    local node, from, since, untilTime, ms, base, oldResult, resultAt, estimated, json =
      string.match(old, '^([^|]*)|(%-?%d*)|(%-?%d*)|(%-?%d*)|(%-?%d*)|(%d*)|([^|]*)|(%d*)|(%d*)|(.*)$')
    if ended ~= '' and since ~= '0' then
      local played = math.max(0, tonumber(ended) - tonumber(since))
      correct(node, column, tonumber(since), played)
      ms = string.format('%.0f', tonumber(ms) + played)
      since, untilTime = '0', ended
    end
    if result ~= '' and stands(result, oldResult) then
      oldResult, resultAt = result, at
    end
    if guess == '1' then estimated = '1' end
    local new = table.concat({ node, from, since, untilTime, ms, base, oldResult, resultAt, estimated, json }, '|')
    if new ~= old then
      redis.call('HSET', lines, field, new)
      changed = changed + 1
    end
  end
  if result ~= '' and result ~= 'not-checked' then redis.call('HDEL', checks, field) end
end
return changed
