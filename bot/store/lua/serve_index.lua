-- Makes an index the one that readers search.
--
-- KEYS[1] HASH serving: `embedder dimensions kind recipe`
-- KEYS[2] STRING epoch of the knowledge base
-- ARGV[1] epoch at which the index held all documents
-- ARGV[2] name of the embedder whose vectors are in it
-- ARGV[3] length of its vectors
-- ARGV[4] kind of the index: `flat` or `hnsw`
-- ARGV[5] how that embedder is made, for processes that are configured for another one; opaque
--
-- Returns 1 if it is served now, 0 if a document changed since that epoch: nothing is done. The epoch moves by one if
-- another index was served before.
-- Atomic because no document may change between the look at the epoch and the switch. Twice does what once does.
-- O(1).
local serving, epoch = KEYS[1], KEYS[2]
local complete_at, embedder, dimensions, kind, recipe = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local before = redis.call('HMGET', serving, 'embedder', 'kind')
local served = before[1] == embedder and before[2] == kind
if not served and (redis.call('GET', epoch) or '0') ~= complete_at then
  return 0
end

redis.call('HSET', serving, 'embedder', embedder, 'dimensions', dimensions, 'kind', kind, 'recipe', recipe)
if before[1] and not served then
  redis.call('INCR', epoch)
end
return 1
