--[[
  What would become of a session under the cap on devices of its user, were it opened now (see admit-device-4.lua), and how
  many of his devices count. Writes nothing.

  KEYS  1 usher:alive:{07}  2 usher:slots:{07}:<namespace>/<user>
  ARGV  1 now (cluster time, ms; 0: Redis' own time; other values are for tests)
        2 member  3 device  4 channel (as limit-parts.lua says)  5 cap  6 policy: deny-new | evict
        7 the life that a sign of life gives, ms  8 the same of a session that is seen, ms
  Returns {'admitted' | 'takes-over' (the place of a device of its own, or of the session that was probably left for it)
          | 'evicts' | 'over', devices that count, without its own place}.
  Errors  WRONGTYPE where a key is not ours.
]]
isLook = true
local now, lives = timeOr(ARGV[1]), { usual = tonumber(ARGV[7]), seen = tonumber(ARGV[8]) }
local limit = { cap = tonumber(ARGV[5]), policy = ARGV[6] }
local new = readSlot(ARGV[2], table.concat({ whole(now), ARGV[3], '', 0, 0, ARGV[4] }, '|'))

local all = slotsOf(KEYS[2], now, lives)
local slots, mine = placesOf(all, new, true)
local devices = devicesOf(slots)
local watching, hasRoom = #devices, roomAmong(slots, now)
if mine then return { 'admitted', watching } end

local own, left = ownAmong(slots, new, watching, limit.cap)
local fate = fateOf(new, own, hasRoom, devices, limit)
local takes = own and (not isGuess(new) or left and hasRoom)
return { fate == 'admitted' and takes and 'takes-over' or fate, watching }
