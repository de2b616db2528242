-- Tells a reader of events where the stream stands, so that it can see that it fell behind or that the stream was
-- re-created.
--
-- KEYS[1]  the stream of events    KEYS[2]  its epoch (same slot)
-- ARGV[1]  an epoch to set where there is none    ARGV[2]  time to live of both, s
-- Returns {epoch, id of the first entry, id of the last entry ever added, entries removed so far}; '0-0' where none.

redis.call('SET', KEYS[2], ARGV[1], 'NX')
redis.call('EXPIRE', KEYS[2], ARGV[2])
local epoch = redis.call('GET', KEYS[2])
if redis.call('EXPIRE', KEYS[1], ARGV[2]) == 0 then return { epoch, '0-0', '0-0', 0 } end
local facts = {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do facts[info[i]] = info[i + 1] end
local first = facts['first-entry']
return {
  epoch,
  first and first[1] or '0-0',
  facts['last-generated-id'],
  facts['entries-added'] - facts['length'],
}
