-- Whether the server takes what is written: a replica, a full one or one that cannot reach its disk does not.
--
-- KEYS[1]  prefix of the inbox partition
-- ARGV[1]  life of the mark, ms
-- Returns  1
--
-- A write, because reading tells nothing of it. One command, so atomic; twice is as once. O(1).

redis.call('SET', KEYS[1] .. ':checked', '1', 'PX', tonumber(ARGV[1]))
return 1
