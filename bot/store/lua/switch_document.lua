-- Makes one version of a document the one that readers see, or takes the document out.
--
-- KEYS[1]  HASH documents: path -> JSON record
-- KEYS[2]  STRING epoch of the knowledge base
-- KEYS[3]  HASH serving, whose `embedder` is the one whose passages readers search
-- KEYS[4…] HASH passages of the new version; each must exist
-- ARGV[1]  path of the document
-- ARGV[2]  its new record, JSON; empty: take it out
-- ARGV[3]  version in that record
-- ARGV[4]  embedder of the passages
--
-- Returns {state, record before or ''}; state is `switched` (the epoch has moved by one), `same` (readers see what
-- they saw: no move) or `incomplete` (a passage is missing, or readers search another embedder's: nothing is changed).
-- Atomic because a reader who sees the new epoch must see the new version, and never a version half written.
-- Twice does what once does: the second run finds its own record. O(number of passages).
local documents, epoch, serving = KEYS[1], KEYS[2], KEYS[3]
local path, record, version, embedder = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local before = redis.call('HGET', documents, path)

if record == '' then
  if not before then
    return {'same', ''}
  end
  redis.call('HDEL', documents, path)
  redis.call('INCR', epoch)
  return {'switched', before}
end

if redis.call('HGET', serving, 'embedder') ~= embedder then
  return {'incomplete', ''}
end
for i = 4, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then
    return {'incomplete', ''}
  end
end

redis.call('HSET', documents, path, record)
if before and version_in(before) == version then
  return {'same', before}
end
redis.call('INCR', epoch)
return {'switched', before or ''}
