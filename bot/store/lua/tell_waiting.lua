-- Book the one word a person gets when an answer takes long.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  conversation id
-- ARGV[2]  token of the claim
-- Returns  1 to the first caller who holds the token, else 0
--
-- Atomic, because the word is said once in a turn, whoever takes it over. O(1).

local turn = KEYS[1] .. ':turn:' .. ARGV[1]
if redis.call('HGET', turn, 'token') ~= ARGV[2] then
  return 0
end
return redis.call('HSETNX', turn, 'told', '1')
