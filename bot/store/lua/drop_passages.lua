-- Deletes passages of a version of a document, unless readers see that version.
--
-- KEYS[1]  HASH documents: path -> JSON record
-- KEYS[2]  HASH serving, whose `embedder` is the one whose passages readers search
-- KEYS[3…] HASH passages, all of one version of one document
-- ARGV[1]  path of the document
-- ARGV[2]  the version they belong to
-- ARGV[3]  the embedder they belong to
--
-- Returns the number of passages deleted; 0 if the version is the current one.
-- Atomic because another process may make the version current between the look and the deletion. Twice is harmless.
-- O(number of passages).
local documents, serving = KEYS[1], KEYS[2]
local path, version, embedder = ARGV[1], ARGV[2], ARGV[3]

local current = redis.call('HGET', documents, path)
if current and version_in(current) == version and redis.call('HGET', serving, 'embedder') == embedder then
  return 0
end

local dropped = 0
for i = 3, #KEYS do
  dropped = dropped + redis.call('UNLINK', KEYS[i])
end
return dropped
