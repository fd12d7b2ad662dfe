-- Lease the earliest due conversation to a worker.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  token, the caller's own and new: proof of the lease
-- ARGV[2]  lease, ms
-- ARGV[3]  exchanges of history to return, >= 0
-- ARGV[4]  life of a history after its last use, ms
-- ARGV[5]  1 if the caller has a place at the model: who waits in line for one may be claimed too, the older one first
-- ARGV[6]  ms, > 0: claim only who has waited so long for a claim and is to hear so; 0: claim as above
-- ARGV[7]  now, Unix ms; '' in production
-- ARGV[8]  until when it may be carried out, Unix ms
-- ARGV[9]  crashes from which on this claim is charged with none: the caller gives the turn back without working on it
-- Returns  now as a string if it is later than that; else
--          { conversation, body of the head message, fields and values of its turn, exchanges oldest first, now in ms,
--            ms until the next one falls due, arrival of the oldest in line or -1 }
--          where a body is '<arrived_ms>:<full>:<json>' and an exchange '<arrived_ms>:<json>'; the last two alone if
--          nothing is to be claimed; ms is -1 if nothing will fall due; or the error WRONGTYPE, for a conversation that
--          cannot be claimed and is put off for a minute, so that it holds up no other
--
-- A server that hung carries out what was sent to it meanwhile, before anything newer: the leases that ran out while it
-- hung are still worked on, and a claim that nobody waits for any more must not take them.
-- Asked again with the same token within its lease, it returns the same conversation. A lease that ran out shows as a
-- conversation that is due again: the crash was booked when it was claimed, and is taken back by whatever ends the
-- claim in order. Atomic, because two workers must never hold one conversation. O(log n) in the partition's
-- conversations, plus one step for each emptied mailbox it clears away, or for each of a hundred who have been told.

local prefix, token = KEYS[1], ARGV[1]
local lease_ms, exchanges, history_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local has_place, wait_ms, now, until_ms = ARGV[5] == '1', tonumber(ARGV[6]), clock(ARGV[7]), tonumber(ARGV[8])
local spared_from = tonumber(ARGV[9])
local due = prefix .. ':due'
local MOST_LOOKED, BROKEN_AGAIN_MS = 50, 60000
if now > until_ms then
  return string.format('%d', now)
end
follow_clock(prefix, now)

local function first_in_line()
  return redis.call('ZRANGE', due, IN_LINE, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
end

local function what_next()
  local line, first = first_in_line()[2], redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]
  local wait = first and tonumber(first) < IN_LINE and math.max(0, tonumber(first) - now) or -1
  return line and has_place and 0 or wait, line and tonumber(line) - IN_LINE or -1
end

-- An id whose message is gone, by a hand or an eviction, must not hold up those behind it.
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

-- A key of another kind, which a hand left: its conversation alone waits for the hand that mends it.
local KINDS = { mail = 'list', body = 'hash', turn = 'hash', history = 'list' }
local function is_broken(conversation)
  for name, kind in pairs(KINDS) do
    local found = redis.call('TYPE', prefix .. ':' .. name .. ':' .. conversation).ok
    if found ~= kind and found ~= 'none' then
      return true
    end
  end
  return false
end

local function earliest()
  while true do
    local first = redis.call('ZRANGE', due, '-inf', now, 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
    local line = has_place and first_in_line() or {}
    local from_line = line[1] and not (first[1] and tonumber(first[2]) <= tonumber(line[2]) - IN_LINE)
    local conversation = from_line and line[1] or first[1]
    if not conversation then
      return nil
    end
    if is_broken(conversation) then
      redis.call('ZADD', due, now + BROKEN_AGAIN_MS, conversation)
      note_clock(prefix, now)
      return conversation
    end
    local id, body = head_of(conversation)
    if id then
      return conversation, id, body, from_line
    end
    redis.call('ZREM', due, conversation)
  end
end

-- Whoever has waited long enough is looked at once; `watched` says up to which moment they have been.
local function earliest_untold()
  local from, before = tonumber(redis.call('GET', prefix .. ':watched')) or 0, now - wait_ms
  local watched = before
  for _, base in ipairs({ 0, IN_LINE }) do
    local waiting = redis.call('ZRANGE', due, base + from, base + before, 'BYSCORE', 'LIMIT', 0, MOST_LOOKED, 'WITHSCORES')
    for i = 1, #waiting, 2 do
      local id, body = nil, nil
      if not is_broken(waiting[i]) then
        id, body = head_of(waiting[i])
      end
      local known = id and redis.call('HMGET', prefix .. ':turn:' .. waiting[i], 'id', 'told', 'watched', 'reply')
      if id and not (known[1] == id and (known[2] or known[3] or known[4])) then
        return waiting[i], id, body, base == IN_LINE
      end
    end
    if #waiting == 2 * MOST_LOOKED then
      watched = math.min(watched, math.max(from + 1, tonumber(waiting[#waiting]) - base))
    end
  end
  redis.call('SET', prefix .. ':watched', watched, 'PX', history_ms)
end

local conversation = redis.call('GET', prefix .. ':claim:' .. token)
local repeated = conversation and redis.call('HGET', prefix .. ':turn:' .. conversation, 'token') == token
local id, body, from_line
if repeated then
  id, body = head_of(conversation)
elseif wait_ms > 0 then
  conversation, id, body, from_line = earliest_untold()
else
  conversation, id, body, from_line = earliest()
end
if not conversation then
  return { what_next() }
end
if not id then
  return redis.error_reply('WRONGTYPE a key of ' .. conversation)
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
  local crashes = tonumber(redis.call('HGET', turn, 'crashes')) or 0
  local charged = crashes < spared_from and 1 or 0
  redis.call('HSET', turn, 'crashes', crashes + charged, 'charged', charged, 'in_line', from_line and '1' or '0')
end
redis.call('HSET', turn, 'token', token)
if wait_ms > 0 then
  redis.call('HSET', turn, 'watched', '1')
end
redis.call('ZADD', due, now + lease_ms, conversation)
note_clock(prefix, now)

local history = prefix .. ':history:' .. conversation
local recent = {}
if exchanges > 0 then
  recent = redis.call('LRANGE', history, -exchanges, -1)
  redis.call('PEXPIRE', history, history_ms)
end
return { conversation, body, redis.call('HGETALL', turn), recent, now, what_next() }
