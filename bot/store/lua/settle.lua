-- End a turn whose reply is out, and remember it.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  conversation id
-- ARGV[2]  message id
-- ARGV[3]  token of the claim
-- ARGV[4]  person id
-- ARGV[5]  place id
-- ARGV[6]  the exchange as JSON starting '{"t":<tokens>'; '' remembers nothing
-- ARGV[7]  most exchanges in a history
-- ARGV[8]  most tokens in a history; the newest exchange stays whatever its size
-- ARGV[9]  life of a history after its last use, ms
-- ARGV[10] doorbell channel
-- ARGV[11] now, Unix ms; '' in production
-- ARGV[12] the stored answer that was shown, '<base>:<digest>'; '' if there is none
-- ARGV[13] life of the note saying so, ms
-- ARGV[14] the platform's id of the last part; '' if the ledger has them all
-- Returns  settled | done (the message is gone: it was settled before) | lost (the token does not hold)
--
-- One script, because a history without the settled message would be answered and remembered twice, and a settled
-- message without its history would be forgotten. Nothing is kept of a message that arrived before a /reset or
-- /forget. A second run finds the message gone. O(exchanges).

local prefix, conversation, id, token, person, place = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local exchange, max_turns, max_tokens, history_ms = ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local doorbell, now = ARGV[10], clock(ARGV[11])
local answer, shown_ms, last = ARGV[12], tonumber(ARGV[13]), ARGV[14]

local body = redis.call('HGET', prefix .. ':body:' .. conversation, id)
if not body then
  return 'done'
end
if redis.call('HGET', prefix .. ':turn:' .. conversation, 'token') ~= token then
  return 'lost'
end

if exchange ~= '' and max_turns > 0 and arrival(body) > forgotten_at(prefix, conversation, person, place) then
  local history = prefix .. ':history:' .. conversation
  redis.call('RPUSH', history, string.format('%d:', arrival(body)) .. exchange)
  redis.call('LTRIM', history, -max_turns, -1)
  local kept, tokens = 0, 0
  local entries = redis.call('LRANGE', history, 0, -1)
  for i = #entries, 1, -1 do
    tokens = tokens + (tonumber(string.match(entries[i], '^%d+:{"t":(%d+)')) or 0)
    if kept > 0 and tokens > max_tokens then
      break
    end
    kept = kept + 1
  end
  redis.call('LTRIM', history, -kept, -1)
  redis.call('PEXPIRE', history, history_ms)
end
if answer ~= '' then
  -- Whoever dislikes one of these messages takes the stored answer back.
  local shown = { last }
  local turn = redis.call('HGETALL', prefix .. ':turn:' .. conversation)
  for i = 1, #turn, 2 do
    if string.match(turn[i], '^s%d+$') then
      table.insert(shown, turn[i + 1])
    end
  end
  for _, sent in ipairs(shown) do
    if sent ~= '' then
      redis.call('SET', prefix .. ':shown:' .. place .. ':' .. sent, answer, 'PX', shown_ms)
    end
  end
end
close_turn(prefix, conversation, id, token, now, doorbell)
return 'settled'
