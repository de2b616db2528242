-- Adds the requests that one client has for one stream in one tick: one command instead of many, which is what a client's
-- throughput hangs on.
--
-- KEYS[1]  stream of requests
-- ARGV[1]  the stream keeps about this many    ARGV[2…]  envelope, bytes or '', envelope, bytes or '' …
-- Returns the ids, in order; nothing at all where no server has made the stream: nobody listens.

local ids = {}
for i = 2, #ARGV, 2 do
  local id
  if ARGV[i + 1] == '' then
    id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[i])
  else
    id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'm', ARGV[i], 'b', ARGV[i + 1])
  end
  if not id then return ids end
  ids[#ids + 1] = id
end
return ids
