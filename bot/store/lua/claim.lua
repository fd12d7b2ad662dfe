-- Lease the earliest due conversation to a worker.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  token, the caller's own and new: proof of the lease
-- ARGV[2]  lease, ms
-- ARGV[3]  exchanges of history to return, >= 0
-- ARGV[4]  life of a history after its last use, ms
-- ARGV[5]  now, Unix ms; '' in production
-- Returns  ms until something falls due, -1 if nothing waits; if something is due
--          { conversation, body of the head message, fields and values of its turn, exchanges oldest first, now in ms,
--            ms until the next one falls due }
--          where a body is '<arrived_ms>:<full>:<json>' and an exchange '<arrived_ms>:<json>'
--
-- Asked again with the same token within its lease, it returns the same conversation. A lease that ran out shows as a
-- conversation that is due again: the crash was booked when it was claimed, and is taken back by whatever ends the
-- claim in order. Atomic, because two workers must never hold one conversation. O(log n) in the partition's
-- conversations, plus one step for each emptied mailbox it clears away.

local prefix, token = KEYS[1], ARGV[1]
local lease_ms, exchanges, history_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = clock(ARGV[5])
local due = prefix .. ':due'
follow_clock(prefix, now)

-- An id whose message is gone, by a hand or an eviction, must not hold up those behind it.
local function until_next_due()
  local at = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  return at and math.max(0, tonumber(at) - now) or -1
end

local function head_of(conversation)
  local mail = prefix .. ':mail:' .. conversation
  while true do
    local id = redis.call('LINDEX', mail, 0)
    local body = id and redis.call('HGET', prefix .. ':body:' .. conversation, id)
    if body or not id then
      return id, body
    end
    redis.call('LPOP', mail)
  end
end

local conversation = redis.call('GET', prefix .. ':claim:' .. token)
local repeated = conversation and redis.call('HGET', prefix .. ':turn:' .. conversation, 'token') == token
local id, body
if repeated then
  id, body = head_of(conversation)
else
  repeat
    conversation = redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1)[1]
    if not conversation then
      return until_next_due()
    end
    id, body = head_of(conversation)
    if not id then
      redis.call('ZREM', due, conversation)
    end
  until id
end

-- The first write, because Redis looks whether it is full at the first one only, and lets a DEL pass: a turn that can
-- note nothing must not begin.
redis.call('SET', prefix .. ':claim:' .. token, conversation, 'PX', lease_ms)
local turn = prefix .. ':turn:' .. conversation
if redis.call('HGET', turn, 'id') ~= id then
  redis.call('DEL', turn)
  redis.call('HSET', turn, 'id', id, 'attempts', 0, 'crashes', 0)
end
if not repeated then
  redis.call('HINCRBY', turn, 'crashes', 1)
end
redis.call('HSET', turn, 'token', token)
redis.call('ZADD', due, now + lease_ms, conversation)
note_clock(prefix, now)

local history = prefix .. ':history:' .. conversation
local recent = {}
if exchanges > 0 then
  recent = redis.call('LRANGE', history, -exchanges, -1)
  redis.call('PEXPIRE', history, history_ms)
end
return { conversation, body, redis.call('HGETALL', turn), recent, now, until_next_due() }
