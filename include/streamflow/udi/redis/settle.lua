-- Keeps a result as its stream's latest and in its history and, inside a run, as the stream's state there.
-- Answers the run's channels of that stream that wait for no stream any more and are not finished.
-- KEYS: results, times of last checks, the stream's history, events, the run's streams, the run's channels.
-- ARGV: stream id, checked_at (s), verdict, reason, the result as kept, the result as told, history bound, prefix of the
-- verdicts' sets, '1' inside a run.
-- The latest result is 'verdict result', one of the history 'checked_at result', newest first.
-- A run's streams are 'verdict|its channels|reason', its channels the ids of their streams or, finished, a JSON object.
local id, at, verdict = ARGV[1], tonumber(ARGV[2]), ARGV[3]

local latest = tonumber(redis.call('ZSCORE', KEYS[2], id) or '-inf')
if at >= latest then
  local old = redis.call('HGET', KEYS[1], id)
  if old then redis.call('SREM', ARGV[8] .. string.match(old, '^%a+'), id) end
  redis.call('HSET', KEYS[1], id, verdict .. ' ' .. ARGV[5])
  redis.call('ZADD', KEYS[2], ARGV[2], id)
  redis.call('SADD', ARGV[8] .. verdict, id)
end

local entry = ARGV[2] .. ' ' .. ARGV[5]
local function time(past) return tonumber(string.match(past, '^%S+')) end
local newest = redis.call('LINDEX', KEYS[3], 0)
if not newest or time(newest) < at then
  redis.call('LPUSH', KEYS[3], entry)
else
  -- A result of the same time is the same check: its entry is replaced, not doubled.
  local same, older = nil, nil
  for place, past in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
    if time(past) == at then same = place - 1 end
    if time(past) < at then
      older = past
      break
    end
  end
  if same then
    redis.call('LSET', KEYS[3], same, entry)
  elseif older then
    redis.call('LINSERT', KEYS[3], 'BEFORE', older, entry)
  else
    redis.call('RPUSH', KEYS[3], entry)
  end
end
redis.call('LTRIM', KEYS[3], 0, tonumber(ARGV[7]) - 1)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 2000, '*', 'type', 'result', 'json', ARGV[6])

local ready = {}
local state = ARGV[9] == '1' and redis.call('HGET', KEYS[5], id)
if not state then return ready end
local channels = string.match(state, '^[^|]*|([^|]*)')
redis.call('HSET', KEYS[5], id, verdict .. '|' .. channels .. '|' .. ARGV[4])
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
