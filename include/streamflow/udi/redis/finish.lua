-- Keeps a channel's change in the channel's log, if it is one, and as finished in its run, if that has the channel.
-- KEYS: the channel's changes, the run's channels, events.
-- ARGV: channel id, at (s), the change, log bound, the event, whether it is to be logged (1).
if ARGV[6] == '1' then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then redis.call('HSET', KEYS[2], ARGV[1], ARGV[3]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 2000, '*', 'type', 'channel', 'json', ARGV[5])
