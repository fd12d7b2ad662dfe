-- Try every kind of key that the stores use, and leave nothing behind: shows at start what we may not do.
--
-- KEYS[1]  prefix of scratch keys, all in one slot, used by nobody else
-- ARGV[1]  life of the scratch keys, ms, should we be killed in between
-- Returns  'ok'; whatever is refused is an error that names the command
--
-- One script, because the right to run scripts is itself in question. Twice is once. O(1).

local prefix, ttl_ms = KEYS[1], ARGV[1]

redis.call('TIME')

local text = prefix .. ':text'
redis.call('SET', text, '1', 'PX', ttl_ms)
redis.call('GET', text)
redis.call('DEL', text)

-- Of each kind: how to write and how to read. The TTL comes at once: a refusal further down ends the script.
for kind, acts in pairs({
  hash = { { 'HSET', 'field', '1' }, { 'HGETALL' } },
  list = { { 'RPUSH', '1' }, { 'LRANGE', 0, -1 } },
  set = { { 'SADD', '1' }, { 'SMEMBERS' } },
  sorted = { { 'ZADD', 1, '1' }, { 'ZRANGE', 0, -1 } },
  stream = { { 'XADD', '*', 'field', '1' }, { 'XRANGE', '-', '+' } },
}) do
  local key = prefix .. ':' .. kind
  redis.call(acts[1][1], key, unpack(acts[1], 2))
  redis.call('PEXPIRE', key, ttl_ms)
  redis.call(acts[2][1], key, unpack(acts[2], 2))
  redis.call('DEL', key)
end
redis.call('PUBLISH', prefix, '1')
return 'ok'
