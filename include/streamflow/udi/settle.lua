-- KEYS: result bucket, checked, history of the stream, run, run's streams, run's waits, events.
-- ARGV: stream id, checked_at (s), verdict, result (JSON), reason, run id ('' = outside a run), history bound,
-- prefix of the verdict sets, channels of the stream in the run (comma-separated).
-- Keeps a result as latest and in history; answers the run's channels that wait for no stream any more.
local id, at, verdict, text = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local before = tonumber(redis.call('ZSCORE', KEYS[2], id) or -1)
if at >= before then
  local old = redis.call('HGET', KEYS[1], id)
  if old then redis.call('SREM', ARGV[8] .. cjson.decode(old).verdict, id) end
  redis.call('HSET', KEYS[1], id, text)
  redis.call('ZADD', KEYS[2], at, id)
  redis.call('SADD', ARGV[8] .. verdict, id)
end
if redis.call('LINDEX', KEYS[3], 0) ~= text then
  redis.call('LREM', KEYS[3], 0, text)
  redis.call('LPUSH', KEYS[3], text)
  redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[7]) - 1)
end
redis.call('XADD', KEYS[7], 'MAXLEN', '~', 2000, '*', 'type', 'result', 'json', text)
local ready = {}
if ARGV[6] ~= '' and redis.call('EXISTS', KEYS[4]) == 1 then
  redis.call('HSET', KEYS[5], id, verdict .. '|' .. ARGV[5])
  for channel in string.gmatch(ARGV[9], '[^,]+') do
    if redis.call('SREM', KEYS[6], channel .. ':' .. id) == 1 then
      if redis.call('HINCRBY', KEYS[4], 'left:' .. channel, -1) == 0 then ready[#ready + 1] = tonumber(channel) end
    end
  end
end
return ready
