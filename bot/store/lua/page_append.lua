-- Add a message to a page's box, once per key.
--
-- KEYS[1]  STREAM, the box: entries `key` `text`
-- KEYS[2]  HASH, idempotency key → entry id, of the entries in the box
-- ARGV[1]  idempotency key
-- ARGV[2]  text, UTF-8
-- ARGV[3]  most entries a box holds, at least 1; older ones leave, and their keys with them
-- ARGV[4]  life of both keys from now, ms
-- ARGV[5]  pub/sub channel on which to name the box to whoever waits on it
-- Returns  id of the entry, `<ms>-<n>`, rising; of the first one if the key is there already
--
-- Atomic, because a part sent again after a crash must neither show twice nor get another id. Twice is once, as long as the
-- entry is in the box. O(entries that leave), usually 1.

local box, ids = KEYS[1], KEYS[2]
local key, text, most, ttl_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local ring = ARGV[5]

local known = redis.call('HGET', ids, key)
if known then
  return known
end
local id = redis.call('XADD', box, '*', 'key', key, 'text', text)
redis.call('HSET', ids, key, id)
for _ = 1, redis.call('XLEN', box) - most do
  local oldest = redis.call('XRANGE', box, '-', '+', 'COUNT', 1)[1]
  redis.call('HDEL', ids, oldest[2][2])
  redis.call('XDEL', box, oldest[1])
end
redis.call('PEXPIRE', box, ttl_ms)
redis.call('PEXPIRE', ids, ttl_ms)
redis.call('PUBLISH', ring, box)
return id
