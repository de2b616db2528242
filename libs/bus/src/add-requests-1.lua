-- Adds the requests that one client has for one stream in one tick: one command instead of many, which is what a client's
-- throughput hangs on.
--
-- KEYS[1]  stream of requests
-- ARGV[1]  the stream keeps about this many    ARGV[2…]  header, data, header, data …
-- Returns the ids, in order; nothing at all where no server has made the stream: nobody listens.

local ids = {}
for i = 2, #ARGV, 2 do
  local id = redis.call('XADD', KEYS[1], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[1], '*', 'h', ARGV[i], 'd', ARGV[i + 1])
  if not id then return ids end
  ids[#ids + 1] = id
end
return ids
