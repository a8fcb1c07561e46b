-- Settles the streams of a run that have no result yet as skipped.
-- KEYS: the run's streams, as 'verdict|channels|reason'.
-- ARGV: the reason.
local states = redis.call('HGETALL', KEYS[1])
for place = 1, #states, 2 do
  local channels = string.match(states[place + 1], '^|([^|]*)|')
  if channels then redis.call('HSET', KEYS[1], states[place], 'skipped|' .. channels .. '|' .. ARGV[1]) end
end
