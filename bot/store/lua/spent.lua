-- Put what a message really took in the place of what was reserved for it.
--
-- KEYS[1]  HASH message id → tokens reserved or spent
-- ARGV[1]  message id
-- ARGV[2]  tokens, >= 0
-- Returns  1, or 0 if nothing is reserved for it
--
-- Atomic, because what has run out must not come back without its time. Twice is as once. O(1).

local tokens_of, id, tokens = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HEXISTS', tokens_of, id) == 0 then
  return 0
end
redis.call('HSET', tokens_of, id, tokens)
return 1
