--[[
  The sessions of a user, each of which its backend may be asked about again is no longer answered from this record
  (`unconfirmed`, session.updated), and is due at once where it is asked about in the background. What else is known of them stays.

  KEYS  1 usher:alive:{07}  2 usher:user:{07}:<namespace>/<user>  3 usher:due:{07}
  ARGV  1 sessions at most  2 events kept  3 … the backends whose credentials may be used again
  Returns {backend, viewer key, 1 where it is asked about again, else 0, …}
  Errors  WRONGTYPE where a key is not ours.
]]
local reusable = {}
for i = 3, #ARGV do reusable[ARGV[i]] = true end
local UNDECIDED = { ['fail-open'] = true, overload = true, known = true, rule = true, hold = true }
local now = clusterTime()
local reply = {}
for i, member in ipairs(redis.call('HKEYS', KEYS[2])) do
  if i > tonumber(ARGV[1]) then break end
  local hash = hashOf(sessionKeyOf(member))
  if hash and redis.call('ZSCORE', aliveKey, member) then
    local again = reusable[hash.backend] and hash.state ~= 'revoked' and not UNDECIDED[hash.source]
    if again then
      if hash.state == 'active' then
        local before = toldOf(hash)
        count(hash, -1)
        hash.state = 'unconfirmed'
        redis.call('HSET', sessionKeyOf(member), 'state', hash.state)
        count(hash, 1)
        tellChange(ARGV[2], member, now, before, hash)
      end
      redis.call('ZADD', KEYS[3], 'XX', string.format('%.0f', now), member)
    end
    reply[#reply + 1] = hash.backend or ''
    reply[#reply + 1] = hash.viewerKey or ''
    reply[#reply + 1] = again and 1 or 0
  end
end
return reply
