import type { RedisProcess } from '#usher/testing';

const DUMP = `
  local lines = {}
  local function add(value)
    if type(value) == 'table' then for _, part in ipairs(value) do add(part) end
    else lines[#lines + 1] = tostring(value) end
  end
  local read = { hash = {'HGETALL'}, string = {'GET'}, list = {'LRANGE', 0, -1}, set = {'SMEMBERS'},
    zset = {'ZRANGE', 0, -1}, stream = {'XRANGE', '-', '+'} }
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local command, from, to = unpack(read[redis.call('TYPE', key).ok])
    add(key)
    if from then add(redis.call(command, key, from, to)) else add(redis.call(command, key)) end
  end
  return lines`;

/** Every key with all of its value, a line each, as redis-cli prints them. */
export function everythingIn(redis: RedisProcess): Promise<string> {
  return redis.cli('EVAL', DUMP, '0');
}
