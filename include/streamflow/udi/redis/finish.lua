-- Marks a channel as finished in its run, if the run has the channel, and adds its change to the channel's log.
-- KEYS: the channel's log, the run's channels, events.
-- ARGV: channel id, at (s), the change, bound of the log, the event, 1 if the change goes into the log.
if ARGV[6] == '1' then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[4]))
end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then redis.call('HSET', KEYS[2], ARGV[1], ARGV[3]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 2000, '*', 'type', 'channel', 'json', ARGV[5])
