-- Stores a result as its stream's latest and in the stream's history and, in a run, settles the stream there.
-- KEYS: results, times of last checks, the stream's history, events, the run's streams, the run's channels, the run's
-- twins, layout.
-- ARGV: stream id, checked_at (s), verdict, reason, the result as stored, the result as sent in the event, bound of the
-- history, prefix of the sets of verdicts, the mode ('settle', 'last' for a stream whose twins are stored already,
-- 'store' for a result without a run), and the layout.
-- The latest result is 'verdict result'. A history has 'checked_at result', newest first.
-- A run's streams are 'verdict|channels|reason'. Its channels are the ids of their streams or, when finished, a JSON
-- object.
-- Returns the twins as a string, and stores nothing, if the stream has twins and the mode is 'settle'. Otherwise
-- returns the ids of the run's channels of this stream that wait for no stream and are not finished.
local id, at, verdict, mode = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[9]

if mode == 'settle' then
  if redis.call('GET', KEYS[8]) ~= ARGV[10] then return redis.error_reply('EMPTY Redis has lost its data') end
  local twins = redis.call('HGET', KEYS[7], id)
  if twins then return twins end
end

local is_latest = at >= tonumber(redis.call('ZSCORE', KEYS[2], id) or '-inf')
if is_latest then
  local old = redis.call('HGET', KEYS[1], id)
  if old then redis.call('SREM', ARGV[8] .. string.match(old, '^%a+'), id) end
  redis.call('HSET', KEYS[1], id, verdict .. ' ' .. ARGV[5])
  redis.call('ZADD', KEYS[2], ARGV[2], id)
  redis.call('SADD', ARGV[8] .. verdict, id)
end

local entry = ARGV[2] .. ' ' .. ARGV[5]
local function time_of(past) return tonumber(string.match(past, '^%S+')) end
-- A result of the same time is the same check: its entry is replaced.
local same, is_repeated = nil, false
local newest = redis.call('LINDEX', KEYS[3], 0)
if not newest or time_of(newest) < at then
  redis.call('LPUSH', KEYS[3], entry)
else
  local older = nil
  for place, past in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do
    if time_of(past) == at then same, is_repeated = place - 1, past == entry end
    if time_of(past) < at then
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
if not is_repeated then
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', 2000, '*', 'type', 'result', 'json', ARGV[6])
end

local ready = {}
local state = mode ~= 'store' and redis.call('HGET', KEYS[5], id)
if not state then return ready end
local former, channels = string.match(state, '^([^|]*)|([^|]*)')
-- An older result does not replace the state of a settled stream, unless it replaces its own former version.
if former == '' or is_latest or (same and not is_repeated) then
  redis.call('HSET', KEYS[5], id, verdict .. '|' .. channels .. '|' .. ARGV[4])
end
for channel in string.gmatch(channels, '%d+') do
  local streams = redis.call('HGET', KEYS[6], channel)
  if streams and string.sub(streams, 1, 1) ~= '{' then
    local is_ready = true
    for stream in string.gmatch(streams, '%d+') do
      if string.sub(redis.call('HGET', KEYS[5], stream) or '|', 1, 1) == '|' then
        is_ready = false
        break
      end
    end
    if is_ready then ready[#ready + 1] = tonumber(channel) end
  end
end
return ready
