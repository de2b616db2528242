--[[
  Put behind session-parts.lua, in front of the scripts that count devices: what they share. A user with a cap has one
  hash, `usher:slots:{07}:<namespace>/<user>`, in the shard of his sessions. It has a field for each session that was
  admitted, named by its member:

    opened|device|flags|not-counted-until|grace, s|channel

  device   `=xxxxxxxx` it named itself; `@` its user is one device; `~xxxxxxxx` a guess: address and player
  flags    c  its edge can be told to cut it
           s  it is seen, under a name that may come again (a derived id, a cookie)
           o  over the cap, and only observed: it counts for nothing, as if it had been refused or cut
           v  being evicted: it counts again from not-counted-until on, should that have failed
           A to Z  of one that is seen: what a sign of life gives it, minutes (A: 1), where that is not the usual life
           r  came back after it had been taken for zapped away; not-counted-until says since when
  grace    a session that lives shows it more often than this, and one that has gone shows nothing any more this long
           after; 0: nobody tells its end, so it counts for nothing

  and beside them `#limit` (cap|mode|policy), `#evictions` (how many in a row|the last|until when its hold ran) and
  `#told` (when the last refusal was told as an event).

  A session counts while it lives and showed a sign of life within its grace. One that was taken for zapped away does
  not count until its grace is over, and after that only if it showed a sign of life since: one that was under way when
  it was left is older. The last sign of life is alive-until less the life that each sign gives.
]]
-- Admitted: it is opened within so long. Milliseconds, as all that follows.
local OPENING = 10000
-- Told to go: it is over within so long, or counts again.
local EVICTING = 10000
-- Somebody is looked at again after so long.
local SOON, MINUTE, HALF_DAY = 10000, 60000, 43200000
local KEPT = 172800000
-- Slots of one user. For a further one the stalest goes that does not count; if all do, or will, whoever comes is over.
local MOST = 500
-- A hold after an eviction; the longest; so long after the last one's end the series begins anew; what is evicted
-- within so long is one eviction.
local HOLD, LONGEST, REMEMBERED, TOGETHER = 60000, 900000, 600000, 30000
-- Refusals of one user are told so often.
local TOLD_EVERY = 60000

-- Nothing is written: for who only looks.
local isLook = false

local function whole(number) return string.format('%.0f', number) end

-- The given time, for tests; 0: Redis' own.
local function timeOr(given)
  given = tonumber(given)
  return given > 0 and given or clusterTime()
end

local function slotsKeyOf(user) return shardKey('slots') .. ':' .. user end

local function readSlot(member, value)
  local opened, device, flags, mark, grace, channel =
    string.match(value, '^(%d+)|([=~@][^|]*)|(%a*)|(%d+)|(%d+)|([^|]*)')
  if not opened then return nil end
  return {
    member = member, opened = tonumber(opened), device = device, flags = flags, mark = tonumber(mark),
    grace = tonumber(grace) * 1000, channel = channel,
  }
end

local function has(slot, flag) return string.find(slot.flags, flag, 1, true) ~= nil end
local function isGuess(slot) return string.sub(slot.device, 1, 1) == '~' end

-- Sets or takes a flag.
local function flag(slot, letter, on)
  local others = string.gsub(slot.flags, letter, '')
  slot.flags = on and others .. letter or others
end

local function writeSlot(key, slot)
  if isLook then return end
  local fields = { whole(slot.opened), slot.device, slot.flags, whole(slot.mark), whole(slot.grace / 1000), slot.channel }
  redis.call('HSET', key, slot.member, table.concat(fields, '|'))
end

-- Its time of not counting is over: whether it came back. Writes down that it did.
local function cameBack(key, slot)
  if has(slot, 'r') then return true end
  if has(slot, 'v') then
    flag(slot, 'v', false)
    slot.mark = 0
  elseif slot.sign <= slot.mark then
    return false
  elseif has(slot, 's') then
    -- Where a name comes again it may have been gone in between: only from now on is it known to live.
    flag(slot, 'r', true)
    slot.mark = slot.sign
  else
    slot.mark = 0
  end
  writeSlot(key, slot)
  return true
end

-- Nobody tells the end of a session that is seen: silent for so long, it is forgotten until it is asked about again.
local function isForgotten(slot, now)
  return has(slot, 's') and now - math.max(slot.sign, slot.mark) >= 2 * slot.grace
end

-- The last sign of life of a session that is alive until `score`.
local function signOf(slot, score, now, lives)
  if not has(slot, 's') then return score - lives.usual end
  local letter = string.match(slot.flags, '%u')
  local sign = score - (letter and (string.byte(letter) - 64) * MINUTE or lives.seen)
  -- Version N-1 gave the usual life to everybody.
  return sign > now + MINUTE and score - lives.usual or sign
end

-- Finds out whether a slot counts, and since when it surely lives. False: its session is over.
local function examine(key, slot, now, lives)
  slot.counts, slot.sign = false, slot.opened
  if slot.mark > now and not has(slot, 'r') then return true end
  local score = tonumber(redis.call('ZSCORE', aliveKey, slot.member) or 0)
  if score <= now and now - slot.opened >= OPENING then return false end
  slot.sign = math.max(slot.opened, signOf(slot, score, now, lives))
  if isForgotten(slot, now) then return false end
  if slot.grace == 0 or has(slot, 'o') then return true end
  if slot.mark > 0 and not cameBack(key, slot) then
    slot.mayComeBack = now < slot.mark + slot.grace
    return true
  end
  if now - slot.sign >= slot.grace then return true end
  if redis.pcall('HGET', sessionKeyOf(slot.member), 'state') == 'revoked' then return false end
  slot.counts, slot.since = true, has(slot, 'r') and slot.mark or slot.opened
  return true
end

-- The slots of one user whose sessions are not over, and what stands beside them. The others are taken out.
local function slotsOf(key, now, lives)
  local slots, beside, gone = {}, {}, {}
  local reply = redis.call('HGETALL', key)
  for i = 1, #reply, 2 do
    if string.sub(reply[i], 1, 1) == '#' then
      beside[reply[i]] = reply[i + 1]
    else
      local slot = readSlot(reply[i], reply[i + 1])
      if slot and examine(key, slot, now, lives) then slots[#slots + 1] = slot else gone[#gone + 1] = reply[i] end
    end
  end
  if #gone > 0 and not isLook then redis.call('HDEL', key, unpack(gone)) end
  return slots, beside
end

-- Who showed no sign of life for longer, then who came first.
local function isStaler(a, b)
  if a.sign ~= b.sign then return a.sign < b.sign end
  if a.opened ~= b.opened then return a.opened < b.opened end
  return a.member < b.member
end

-- Who came later.
local function isNewer(a, b)
  if a.opened ~= b.opened then return a.opened > b.opened end
  return isStaler(a, b)
end

-- The devices that count: one that is known counts once, whatever it watches; of a guess each session does. Each with
-- the time through which it surely lived (since … surely).
local function devicesOf(slots)
  local devices, byName = {}, {}
  for _, slot in ipairs(slots) do
    if slot.counts then
      local name = isGuess(slot) and slot.member or slot.device
      local device = byName[name]
      if not device then
        device = {
          device = slot.device, member = slot.member, slots = {}, canCut = true,
          sign = 0, opened = math.huge, since = math.huge, surely = 0,
        }
        byName[name] = device
        devices[#devices + 1] = device
      end
      device.slots[#device.slots + 1] = slot
      device.canCut = device.canCut and has(slot, 'c')
      device.sign = math.max(device.sign, slot.sign)
      device.opened = math.min(device.opened, slot.opened)
      device.since = math.min(device.since, slot.since)
      device.surely = math.max(device.surely, slot.sign - slot.grace)
    end
  end
  return devices
end

-- The first `count` devices by `order` that can be cut; fewer where there are no more.
local function victimsAmong(devices, count, order)
  local cuttable = {}
  for _, device in ipairs(devices) do
    if device.canCut then cuttable[#cuttable + 1] = device end
  end
  table.sort(cuttable, order)
  local victims = {}
  for i = 1, math.min(count, #cuttable) do victims[i] = cuttable[i] end
  return victims
end

-- The slots of the others, and its own, if that is still its place. `isNew`: its session was not allowed earlier.
local function placesOf(all, new, isNew)
  local slots, mine = {}, nil
  for _, slot in ipairs(all) do
    if slot.member == new.member then mine = slot else slots[#slots + 1] = slot end
  end
  if mine and (mine.device ~= new.device or mine.channel ~= new.channel or has(mine, 'v')) then mine = nil end
  -- Whoever would have been refused is no more refused, and counts no more, when asked about again.
  if mine and has(mine, 'o') and isNew then mine = nil end
  return slots, mine
end

-- Whether a user may have a further slot, and the one that goes for it, if one has to.
local function roomAmong(slots, now)
  if #slots < MOST then return true end
  local stalest
  for _, slot in ipairs(slots) do
    if not slot.counts and slot.mark <= now and (not stalest or isStaler(slot, stalest)) then stalest = slot end
  end
  return stalest ~= nil, stalest
end

-- Whether the newcomer's device watches already, and for a guess the session that was probably left for it.
local function ownAmong(slots, new, watching, cap)
  local own, left
  for _, slot in ipairs(slots) do
    if slot.counts and slot.device == new.device then
      if not own or isStaler(slot, own) then own = slot end
      if slot.channel ~= new.channel and (not left or isStaler(slot, left)) then left = slot end
    end
  end
  if not isGuess(new) then return own, nil end
  return own, left or watching >= cap and own or nil
end

-- What becomes of a newcomer who had no place: 'admitted', 'evicts' and the devices that have to go for it, or 'over'.
local function fateOf(new, own, hasRoom, devices, limit)
  if #devices < limit.cap or own and (hasRoom or not isGuess(new)) then return 'admitted' end
  local surplus = #devices + 1 - limit.cap
  local victims = limit.policy == 'evict' and victimsAmong(devices, surplus, isStaler) or {}
  if #victims == surplus then return 'evicts', victims end
  return 'over'
end

-- They do not count from now on: because they are evicted, or would be. Returns the members of their sessions.
local function putOut(key, devices, isEnforced, now)
  local members = {}
  for _, device in ipairs(devices) do
    for _, slot in ipairs(device.slots) do
      flag(slot, 'r', false)
      flag(slot, isEnforced and 'v' or 'o', true)
      slot.mark, slot.counts = isEnforced and now + EVICTING or 0, false
      writeSlot(key, slot)
      members[#members + 1] = slot.member
    end
  end
  return members
end

-- How long those are to be held who are evicted now: doubled for each further eviction of this user.
local function holdAfter(key, beside, now)
  local row, last, ends = string.match(beside['#evictions'] or '', '^(%d+)|(%d+)|(%d+)$')
  row, last, ends = tonumber(row) or 0, tonumber(last) or 0, tonumber(ends) or 0
  if row == 0 or now > ends + REMEMBERED then row = 1
  elseif now - last >= TOGETHER then row = row + 1 end
  local lasts = math.min(HOLD * 2 ^ math.min(row - 1, 10), LONGEST)
  redis.call('HSET', key, '#evictions', row .. '|' .. whole(now) .. '|' .. whole(math.max(ends, now + lasts)))
  return lasts
end

-- An event. `member` is the newcomer's session, or the first of those that are put out where nobody came.
local function tellReached(kept, member, user, now, limit, outcome, watching, victims)
  tell(kept, 'limit.reached', member, now, {
    'user', user, 'outcome', outcome, 'mode', limit.mode, 'policy', limit.policy, 'cap', limit.cap,
    'devices', watching, 'victims', table.concat(victims, ' ', 1, math.min(#victims, 10)),
  })
end
