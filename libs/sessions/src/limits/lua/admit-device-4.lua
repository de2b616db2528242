--[[
  Takes a place under the cap on devices of its user for a session that is about to be opened. Idempotent: the same
  session is admitted again. A device that is watching already takes over its own place. Where the device is a guess, a
  session on another channel of the same guess is probably the one that was left for this (a zap): it stops counting
  for its grace; at the cap so does one on the same channel (the player came back). Otherwise at the cap: `deny-new`
  says `over`; `evict` names who has to go, and `over` where too few can be told to.

  KEYS  1 usher:alive:{07}  2 usher:events:{07}  3 usher:slots:{07}:<namespace>/<user>  4 usher:recount:{07}
  ARGV  1 now (cluster time, ms; 0: Redis' own time; other values are for tests)
        2 member  3 device  4 flags (c, s)  5 grace, s  6 channel (as limit-parts.lua says)
        7 cap  8 mode: enforce | observe (everybody is admitted, and it is said what would have been)
        9 policy: deny-new | evict
        10 'new' | 'open' (allowed earlier: admitted whatever the count) | 'late' (as open, because nobody could be
           asked in time: the user is counted again soon)
        11 the life that a sign of life gives, ms  12 the same of a session that is seen, ms  13 events kept
        14 <namespace>/<user>
  Returns {'admitted' | 'over' | 'evicts', 1 if this was told as an event, else 0, how long the evicted are to be
          held, ms, devices that count, members to evict …}.
  Errors  WRONGTYPE where a key is not ours.
]]
local slotsKey, recountKey = KEYS[3], KEYS[4]
local now, kept, user = timeOr(ARGV[1]), ARGV[13], ARGV[14]
local lives = { usual = tonumber(ARGV[11]), seen = tonumber(ARGV[12]) }
local limit = { cap = tonumber(ARGV[7]), mode = ARGV[8], policy = ARGV[9] }
local isEnforced, how = limit.mode == 'enforce', ARGV[10]
local new = readSlot(ARGV[2], table.concat({ whole(now), ARGV[3], ARGV[4], 0, ARGV[5], ARGV[6] }, '|'))

local all, beside = slotsOf(slotsKey, now, lives)
local slots, mine = placesOf(all, new, how == 'new')
if mine and (mine.counts or mine.grace == 0 or has(mine, 'o')) then return { 'admitted', 0, 0, 0 } end
local isOpen = how ~= 'new' or mine ~= nil

local devices = devicesOf(slots)
local watching = #devices
local hasRoom, stalest = roomAmong(slots, now)
if stalest then redis.call('HDEL', slotsKey, stalest.member) end

local function lookAgain(at)
  redis.call('ZADD', recountKey, 'LT', whole(at), user)
end

local function admit(as)
  if as then flag(new, as, true) end
  if mine then new.opened = mine.opened end
  -- It was gone in between.
  if mine and has(new, 's') then
    flag(new, 'r', true)
    new.mark = now
  end
  if mine or hasRoom then writeSlot(slotsKey, new) end
  local words = limit.cap .. '|' .. limit.mode .. '|' .. limit.policy
  if beside['#limit'] ~= words then redis.call('HSET', slotsKey, '#limit', words) end
  redis.call('PEXPIRE', slotsKey, KEPT)
  lookAgain(now + (how == 'late' and SOON or HALF_DAY))
  redis.call('PEXPIRE', recountKey, KEPT)
end

-- Its place is the newcomer's now, as far as we can tell.
local function takePlaceOf(slot)
  flag(slot, 'r', false)
  slot.mark = now + slot.grace
  writeSlot(slotsKey, slot)
  lookAgain(slot.mark)
end

local own, left = ownAmong(slots, new, watching, limit.cap)
if left and hasRoom then takePlaceOf(left) end
local fate, victims = 'admitted', nil
if not isOpen then fate, victims = fateOf(new, own, hasRoom, devices, limit) end
if fate == 'admitted' then
  admit()
  return { 'admitted', 0, 0, watching }
end

if fate == 'evicts' then
  admit()
  local members = putOut(slotsKey, victims, isEnforced, now)
  if isEnforced then lookAgain(now + EVICTING) end
  tellReached(kept, new.member, user, now, limit, 'evicted', watching, members)
  return { 'evicts', 1, isEnforced and holdAfter(slotsKey, beside, now) or 0, watching, unpack(members) }
end

local isNews = now - (tonumber(beside['#told']) or 0) >= TOLD_EVERY
if isNews then
  redis.call('HSET', slotsKey, '#told', whole(now))
  redis.call('PEXPIRE', slotsKey, KEPT)
  tellReached(kept, new.member, user, now, limit, 'refused', watching, {})
end
if not isEnforced then admit('o') end
return { 'over', isNews and 1 or 0, 0, watching }
