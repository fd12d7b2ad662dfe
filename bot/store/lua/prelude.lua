-- Shared by all scripts: the loader puts this file before each of them. It defines functions and does nothing.

-- What is stored may have been left by another version of ours, or by a hand. A script that it ended would be tried again
-- for ever, so nothing read is taken to be a number, or to be there: `tonumber(…) or 0`.

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

-- The set in which a message was marked as seen, nil if in none. The bucket of the hour before is read too: an event
-- without a date of its own is dated at its arrival, and its redelivery may fall into the next hour.
local function seen_in(prefix, hour, id)
  for _, of in ipairs({ tonumber(hour), tonumber(hour) - 1 }) do
    local seen = string.format('%s:seen:%d', prefix, of)
    if redis.call('SISMEMBER', seen, id) == 1 then
      return seen
    end
  end
  return nil
end

-- In `due`, who waits in line for a place at the model stands behind this, by the arrival of the message, Unix ms.
local IN_LINE = 100000000000000

-- Arrival of the message whose turn is open.
local function arrival_of_turn(prefix, conversation)
  local id = redis.call('HGET', prefix .. ':turn:' .. conversation, 'id')
  return arrival(id and redis.call('HGET', prefix .. ':body:' .. conversation, id) or '')
end

-- The latest /reset or /forget that touches a conversation, its person or its place; 0 if none.
local function forgotten_at(prefix, conversation, person, place)
  local latest = 0
  local marks = redis.call('MGET', prefix .. ':mark:c:' .. conversation, prefix .. ':mark:u:' .. person,
    prefix .. ':mark:p:' .. place)
  for _, mark in ipairs(marks) do
    latest = math.max(latest, tonumber(mark) or 0)
  end
  return latest
end

-- Set a mark, never back to an earlier moment.
local function set_mark(prefix, kind, id, at, mark_ms)
  local key = prefix .. ':mark:' .. kind .. ':' .. id
  local before = tonumber(redis.call('GET', key)) or 0
  redis.call('SET', key, math.max(before, at), 'PX', mark_ms)
end

-- Note the clock by which something was made due, so that a clock that is set back afterwards is noticed.
local function note_clock(prefix, now)
  redis.call('SET', prefix .. ':clock', now, 'PX', 86400000)
end

-- Before anything is made due: if the clock was set back since, what falls due later does so that much earlier, and nobody
-- waits for the difference. Whoever notes the clock without this hides the step from all others. O(1), and O(n log n) in
-- what falls due later after such a step.
local function follow_clock(prefix, now)
  local back_ms = (tonumber(redis.call('GET', prefix .. ':clock')) or 0) - now
  if back_ms <= 0 then
    return
  end
  local due = prefix .. ':due'
  local later = redis.call('ZRANGE', due, '(' .. now, '+inf', 'BYSCORE', 'WITHSCORES')
  for i = 1, #later, 2 do
    redis.call('ZADD', due, later[i + 1] - back_ms, later[i])
  end
  note_clock(prefix, now)
end

-- The moment at which a message counts beside the entries of a window: its arrival, but never before the newest entry,
-- so that this time does not run back, and never ahead of the clock. Entries ahead of it were written before it was set
-- back: they count as of now.
local function moment_of(entries, arrived, now)
  for _, ahead in ipairs(redis.call('ZRANGE', entries, '(' .. now, '+inf', 'BYSCORE')) do
    redis.call('ZADD', entries, now, ahead)
  end
  local newest = redis.call('ZRANGE', entries, -1, -1, 'WITHSCORES')
  return math.max(math.min(arrived, now), tonumber(newest[2]) or 0)
end

-- How long a pause still is, ms: kept as '<end>:<length>', since one that ends later than it lasts was written before the
-- clock was set back.
local function pause_left(key, now)
  local ends, length_ms = string.match(redis.call('GET', key) or '', '^(%d+):(%d+)$')
  return ends and math.max(0, math.min(ends - now, tonumber(length_ms))) or 0
end

-- Make a conversation claimable at a moment, and ring if that is now.
local function make_due(prefix, conversation, at, now, doorbell)
  follow_clock(prefix, now)
  redis.call('ZADD', prefix .. ':due', at, conversation)
  note_clock(prefix, now)
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

-- The version in a document's record; nil if it cannot be read.
local function version_in(record)
  local is_json, decoded = pcall(cjson.decode, record)
  return is_json and type(decoded) == 'table' and decoded.version or nil
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
  local retry_ms = tonumber(redis.call('HGET', refused, id))
  return retry_ms and { 0, math.abs(retry_ms), retry_ms > 0 and 1 or 0 }
end

-- Refuse a message until a moment, and remember it; only the first refusal until then is to be told. A moment further
-- off than any window was written before the clock was set back.
local function refuse(refused, id, at, free_at, most_refused, keep_ms)
  local told_until = tonumber(redis.call('HGET', refused, 'until')) or 0
  if told_until > at + keep_ms then
    told_until = 0
  end
  local tell = at >= told_until
  if redis.call('HLEN', refused) > most_refused then
    redis.call('DEL', refused)
  end
  redis.call('HSET', refused, id, tell and free_at - at or at - free_at, 'until', math.max(told_until, free_at))
  redis.call('PEXPIRE', refused, keep_ms)
  return { 0, free_at - at, tell and 1 or 0 }
end
