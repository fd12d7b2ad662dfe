-- Reads what readers of a knowledge base search, and all its documents.
--
-- KEYS[1] STRING epoch of the knowledge base
-- KEYS[2] HASH serving: `embedder dimensions kind recipe`
-- KEYS[3] HASH documents: path → record
--
-- Returns {epoch or nil, {field, value, …} of serving, {path, record, …}}.
-- Atomic because the three must be of one epoch. A script and not a transaction, which the library sends to a cluster in
-- a way of its own. Reads only. O(n) in the documents.
local epoch, serving, documents = KEYS[1], KEYS[2], KEYS[3]

return { redis.call('GET', epoch), redis.call('HGETALL', serving), redis.call('HGETALL', documents) }
