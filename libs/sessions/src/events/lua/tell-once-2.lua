--[[
  Adds an event to a shard's stream, once: it is told again where the answer was late, and may have been written.

  KEYS  1 usher:events:{07}
        2 usher:told:{07}:<digest of the event>   string: it was told
  ARGV  1 KEYS[2] lives for so long, ms  2 events kept  3 … field, value …
  Returns 1 if it was added by this call, else 0.
  Errors  WRONGTYPE where KEYS[1] is no stream.
]]
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))
redis.call('SET', KEYS[2], '', 'PX', ARGV[1])
return 1
