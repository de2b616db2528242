--[[
  Counts the devices of the users whose time for it has come: a session that was taken for zapped away may have shown a
  sign of life since, an eviction may have failed, somebody may have been admitted while nobody could be asked. Who is
  over the cap is named, by policy: `evict` who showed no sign of life for the longest, `deny-new` who came last, for
  he would have been refused. Only as many as surely lived at one and the same moment are too many: a session that has
  gone may count for a while. They do not count from now on.

  KEYS  1 usher:alive:{07}  2 usher:events:{07}  3 usher:recount:{07}
  ARGV  1 now (cluster time, ms; 0: Redis' own time; other values are for tests)  2 at most so many users (≤ 100)
        3 the life that a sign of life gives, ms  4 the same of a session that is seen, ms  5 events kept
        6 'enforce' | 'observe' (nobody is evicted, whatever his slots say)
  Returns {how many users were looked at,
          {<namespace>/<user>, 'enforce' | 'observe', cap, how long the evicted are to be held, ms, members …} …}.
  Errors  WRONGTYPE where a key is not ours.
]]
local recountKey = KEYS[3]
local now, kept, lives = timeOr(ARGV[1]), ARGV[5], { usual = tonumber(ARGV[3]), seen = tonumber(ARGV[4]) }

-- The most devices that surely lived at one moment.
local function together(devices)
  local points = {}
  for _, device in ipairs(devices) do
    if device.since <= device.surely then
      points[#points + 1] = { at = device.since, by = 1 }
      points[#points + 1] = { at = device.surely, by = -1 }
    end
  end
  table.sort(points, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.by > b.by
  end)
  local count, most, moment = 0, 0, 0
  for _, point in ipairs(points) do
    count = count + point.by
    if count > most then most, moment = count, point.at end
  end
  local found = {}
  for _, device in ipairs(devices) do
    if device.since <= moment and moment <= device.surely then found[#found + 1] = device end
  end
  return found
end

-- The next time to look at a user nobody of whom is too many.
local function nextLook(slots, isOver)
  local at = now + (isOver and SOON or HALF_DAY)
  for _, slot in ipairs(slots) do
    if slot.mark > now then at = math.min(at, slot.mark)
    elseif slot.mayComeBack then at = math.min(at, now + SOON) end
  end
  return at
end

local found = { 0 }
local due = redis.call('ZRANGEBYSCORE', recountKey, '-inf', whole(now), 'LIMIT', 0, ARGV[2])
for _, user in ipairs(due) do
  local key = slotsKeyOf(user)
  local slots, beside = slotsOf(key, now, lives)
  local cap, mode, policy = string.match(beside['#limit'] or '', '^(%d+)|(%a+)|(%a[%a-]*)$')
  found[1] = found[1] + 1
  if #slots == 0 or not cap then
    redis.call('ZREM', recountKey, user)
  else
    local limit = { cap = tonumber(cap), policy = policy, mode = mode == 'enforce' and ARGV[6] or 'observe' }
    local isEnforced = limit.mode == 'enforce'
    local devices = devicesOf(slots)
    local sure = #devices > limit.cap and together(devices) or {}
    local victims = victimsAmong(sure, #sure - limit.cap, policy == 'evict' and isStaler or isNewer)
    local at = nextLook(slots, #devices > limit.cap and #sure <= limit.cap)
    if #victims > 0 then
      local members = putOut(key, victims, isEnforced, now)
      local lasts = isEnforced and holdAfter(key, beside, now) or 0
      tellReached(kept, members[1], user, now, limit, 'evicted', #devices, members)
      found[#found + 1] = { user, limit.mode, limit.cap, lasts, unpack(members) }
      if isEnforced then at = math.min(at, now + EVICTING) end
    end
    redis.call('ZADD', recountKey, whole(at), user)
    redis.call('PEXPIRE', key, KEPT)
  end
end
if #due > 0 then redis.call('PEXPIRE', recountKey, KEPT) end
return found
