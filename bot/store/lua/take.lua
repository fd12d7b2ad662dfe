-- Take one send from every bucket it falls under, or keep a place in the line for it.
--
-- KEYS[1]  prefix of the bot's budgets, all in its slot
-- ARGV[1]  now, Unix ms; '' in production
-- ARGV[2]  who asks: its place is kept until it comes; '' for what may be left out: taken now or not at all
-- ARGV[3…] lines to stand in, one after the other; each is: whose pause counts, a channel's or `bot`; how many buckets;
--          name, burst, ms per token of each
-- Returns  0 if taken, else ms until it could be
--
-- Token buckets (GCRA): `burst` tokens at most, one more every so many ms. A bucket is kept as the moment at which it
-- will be full, because whole milliseconds are exact where fractions of a token are not; TTL: until then. A send that
-- must wait has its token at once, of a moment to come: so who asked first goes first, and nobody comes back in vain.
-- The lines come one after the other (a chat's, then the bot's), or who waits for one chat would hold up all others. A
-- chat that the platform closed (429) waits it out, and all line up anew for the moment it opens; so do all chats if it
-- closed the bot. What may be left out goes only while more than half of each burst is there. Atomic, because all workers
-- draw on the same buckets and a send is under several. Twice takes twice, and so does a place that nobody comes back
-- for: a send too few, never too many. TTL of a place: a minute from its moment. O(buckets).

local prefix, now, asker, listed = KEYS[1], clock(ARGV[1]), ARGV[2], { unpack(ARGV, 3) }
local place = prefix .. ':place:' .. asker
local LONGEST_MS = 300000 -- a place further off is not kept, but asked for again; nor is a clock believed that says so
local KEPT_MS = 60000

local lines = {}
local i = 1
while i <= #listed do
  local line = { from = now + pause_left(prefix .. ':closed:' .. listed[i], now), buckets = {} }
  local last = i + 1 + 3 * tonumber(listed[i + 1])
  for j = i + 2, last, 3 do
    local key, ms = prefix .. ':' .. listed[j], tonumber(listed[j + 2])
    local whole_ms, full = tonumber(listed[j + 1]) * ms, math.max(now, tonumber(redis.call('GET', key)) or 0)
    if full - line.from > whole_ms + LONGEST_MS then
      full = now -- only a clock that was set back leaves such a moment
    end
    line.buckets[#line.buckets + 1] = { key = key, ms = ms, whole_ms = whole_ms, full = full }
  end
  lines[#lines + 1] = line
  i = last + 1
end

-- The first moment at which every bucket of a line has a token, `share` of its burst being there to take from.
local function earliest(line, share)
  local at = line.from
  for _, bucket in ipairs(line.buckets) do
    at = math.max(at, bucket.full + bucket.ms - math.max(bucket.ms, math.floor(bucket.whole_ms * share)))
  end
  return at
end

local function draw(line, at)
  for _, bucket in ipairs(line.buckets) do
    local full = math.max(bucket.full, at) + bucket.ms
    redis.call('SET', bucket.key, full, 'PX', full - now)
  end
end

if asker == '' then
  local at = now
  for _, line in ipairs(lines) do
    at = math.max(at, earliest(line, 0.5))
  end
  for _, line in ipairs(at == now and lines or {}) do
    draw(line, now)
  end
  return at - now
end

local stage, at = string.match(redis.call('GET', place) or '', '^(%d+):(%d+)$')
stage, at = tonumber(stage) or 1, tonumber(at)
if at and lines[stage] and at - lines[stage].from > LONGEST_MS then
  at = nil -- likewise
end
for n, line in ipairs(lines) do
  if line.from > now and (n < stage or n == stage and at and at < line.from) then
    stage, at = n, nil -- a pause began since
    break
  end
end
while stage <= #lines do
  local line = lines[stage]
  if not at then
    at = earliest(line, 1)
    if at - line.from > LONGEST_MS then
      redis.call('SET', place, stage - 1 .. ':' .. now, 'PX', LONGEST_MS + KEPT_MS)
      return LONGEST_MS
    end
    draw(line, at)
  end
  if at > now then
    redis.call('SET', place, stage .. ':' .. at, 'PX', at - now + KEPT_MS)
    return at - now
  end
  stage, at = stage + 1, nil
end
redis.call('DEL', place)
return 0
