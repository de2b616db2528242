--[[
  Counts what is peculiar about one suspect: different things that were seen of him within a window that starts with the
  first. Once they are more than the limit he is told of, once, and counting starts anew. Idempotent: the same things
  count once.

  KEYS  1 usher:suspect:{07}:<measure>:<subject>  2 usher:suspect:{07}:users-at:<subject>; of a user KEYS[1] again
  ARGV  1 the window, ms  2 the limit  3 'users' (KEYS[2] is what is added to, and nobody is told of) or ''
        4… what was seen, each at most 26 bytes
  Returns {different things in the window, 1 if the limit was passed by this call else 0, users behind him}.
  Errors  WRONGTYPE where a key is not ours.
]]
local window, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local key = ARGV[3] == 'users' and KEYS[2] or KEYS[1]
local before = redis.call('SCARD', key)

-- A set never grows past the limit and one call's worth: who is known to be over it needs no more.
local after = before
if before <= limit then
  local added = redis.call('SADD', key, unpack(ARGV, 4))
  after = before + added
  if before == 0 then redis.call('PEXPIRE', key, window) end
end
if ARGV[3] == 'users' then return { after, 0, after } end

local passed = after > limit and 1 or 0
local users = KEYS[2] == KEYS[1] and 0 or redis.call('SCARD', KEYS[2])
if passed == 1 then redis.call('DEL', KEYS[1]) end
return { after, passed, users }
