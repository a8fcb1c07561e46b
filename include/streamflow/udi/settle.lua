-- Keeps a result as its stream's latest and in its history and, inside a run, as the stream's state there.
-- Answers the run's channels of that stream that wait for no stream any more and are not finished.
-- KEYS: results, times of last checks, the stream's history, events, the run's streams, the run's channels.
-- ARGV: stream id, checked_at (s), verdict, reason, the result as kept, the result as told, history bound, prefix of the
-- verdicts' sets, '1' inside a run.
-- A run's streams are 'verdict|reason|its channels', its channels the ids of their streams or, finished, a JSON object.
local id, at, verdict, text = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[5]
local latest = tonumber(redis.call('ZSCORE', KEYS[2], id) or '-inf')
if at >= latest then
  local old = redis.call('HGET', KEYS[1], id)
  if old then redis.call('SREM', ARGV[8] .. cjson.decode(old).verdict, id) end
  redis.call('HSET', KEYS[1], id, text)
  redis.call('ZADD', KEYS[2], ARGV[2], id)
  redis.call('SADD', ARGV[8] .. verdict, id)
end
redis.call('ZADD', KEYS[3], ARGV[2], text)
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[7]))
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 2000, '*', 'type', 'result', 'json', ARGV[6])
local ready = {}
local state = ARGV[9] == '1' and redis.call('HGET', KEYS[5], id)
if not state then return ready end
local channels = string.match(state, '[^|]*$')
redis.call('HSET', KEYS[5], id, verdict .. '|' .. ARGV[4] .. '|' .. channels)
for channel in string.gmatch(channels, '%d+') do
  local waits = redis.call('HGET', KEYS[6], channel)
  if waits and string.sub(waits, 1, 1) ~= '{' then
    local settled = true
    for stream in string.gmatch(waits, '%d+') do
      if string.sub(redis.call('HGET', KEYS[5], stream) or '|', 1, 1) == '|' then
        settled = false
        break
      end
    end
    if settled then ready[#ready + 1] = tonumber(channel) end
  end
end
return ready
