-- Shared by all scripts: the loader puts this file before each of them. It defines functions and does nothing.

-- Unix ms on Redis's own clock. `override` is '' in production; only tests move the clock.
local function clock(override)
  if override ~= nil and override ~= '' then
    return tonumber(override)
  end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Arrival of a stored message, Unix ms. A body is '<arrived_ms>:<0|1 full|2 retried>:<record>'; what cannot be read is oldest.
local function arrival(body)
  return tonumber(string.match(body, '^(%d+):') or 1)
end

-- The latest /reset or /forget that touches a conversation, its person or its place; 0 if none.
local function forgotten_at(prefix, conversation, person, place)
  local latest = 0
  local marks = redis.call('MGET', prefix .. ':mark:c:' .. conversation, prefix .. ':mark:u:' .. person,
    prefix .. ':mark:p:' .. place)
  for _, mark in ipairs(marks) do
    if mark and tonumber(mark) > latest then
      latest = tonumber(mark)
    end
  end
  return latest
end

-- Set a mark, never back to an earlier moment.
local function set_mark(prefix, kind, id, at, mark_ms)
  local key = prefix .. ':mark:' .. kind .. ':' .. id
  local before = tonumber(redis.call('GET', key) or '0')
  redis.call('SET', key, math.max(before, at), 'PX', mark_ms)
end

-- Make a conversation claimable at a moment, and ring if that is now.
local function make_due(prefix, conversation, at, now, doorbell)
  redis.call('ZADD', prefix .. ':due', at, conversation)
  if at <= now then
    redis.call('PUBLISH', doorbell, '')
  end
end

-- End a turn whose message is done with: the message leaves its mailbox, the next one falls due at once.
local function close_turn(prefix, conversation, id, token, now, doorbell)
  local mail = prefix .. ':mail:' .. conversation
  redis.call('LREM', mail, 1, id)
  redis.call('HDEL', prefix .. ':body:' .. conversation, id)
  redis.call('DEL', prefix .. ':turn:' .. conversation, prefix .. ':claim:' .. token)
  if redis.call('LLEN', mail) > 0 then
    make_due(prefix, conversation, now, now, doorbell)
  else
    redis.call('ZREM', prefix .. ':due', conversation)
  end
end

-- The record of a stored message, without what stands before it.
local function record_of(body)
  return string.match(body, '^%d+:%d:(.*)$') or body
end

-- A dead letter leaves the three places in which it stands. A conversation is '<platform>:<workspace>:…:<user>'.
local function drop_letter(prefix, id, conversation)
  local platform, workspace, user = string.match(conversation, '^([^:]*):([^:]*):.*:([^:]*)$')
  redis.call('DEL', prefix .. ':dead:' .. id)
  redis.call('ZREM', prefix .. ':dead', id)
  if user then
    redis.call('SREM', table.concat({ prefix .. ':deadof', platform, workspace, user }, ':'), id)
  end
end

-- What a limiter said to this message before, if it refused it.
local function refused_before(refused, id)
  local decided = redis.call('HGET', refused, id)
  if not decided then
    return nil
  end
  local retry_ms = tonumber(decided)
  return { 0, math.abs(retry_ms), retry_ms > 0 and 1 or 0 }
end

-- Refuse a message until a moment, and remember it; only the first refusal until then is to be told.
local function refuse(refused, id, at, free_at, most_refused, keep_ms)
  local told_until = tonumber(redis.call('HGET', refused, 'until') or '0')
  local tell = at >= told_until
  if redis.call('HLEN', refused) > most_refused then
    redis.call('DEL', refused)
  end
  redis.call('HSET', refused, id, tell and free_at - at or at - free_at, 'until', math.max(told_until, free_at))
  redis.call('PEXPIRE', refused, keep_ms)
  return { 0, free_at - at, tell and 1 or 0 }
end
