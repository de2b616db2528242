--[[
  Puts events into a receiver's outbox, under the ids that they have in their shard's stream: what is there already, or
  was delivered, is not put in again.

  KEYS  1 usher:outbox:{07}:<receiver>
  ARGV  1 events kept, the oldest go first  2 the outbox lives for so long without a new event, ms  3 … id, event, …
  Returns {how many were put in, how many old ones went for them}.
  Errors  WRONGTYPE where KEYS[1] is no stream.
]]
local outbox = KEYS[1]
local before, put = redis.call('XLEN', outbox), 0
for i = 3, #ARGV, 2 do
  local reply = redis.pcall('XADD', outbox, ARGV[i], 'event', ARGV[i + 1])
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'equal or smaller', 1, true) then return redis.error_reply(reply.err) end
  else
    put = put + 1
  end
end
redis.call('XTRIM', outbox, 'MAXLEN', ARGV[1])
redis.call('PEXPIRE', outbox, ARGV[2])
return { put, before + put - redis.call('XLEN', outbox) }
