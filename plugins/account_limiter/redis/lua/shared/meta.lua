-- What every transition shares: the time, and what holds for the whole limiter.
-- The state is sets of leases and waiters; nothing is counted beside them. Records are maps in MessagePack.
-- Times are milliseconds of Redis' own clock: whole numbers of 13 digits, which Lua writes exactly (up to 14).
-- What is local here lives as long as the server: nothing may be kept in it that Redis could not have told anew.
local call

local now, now_us
-- Until when nobody is let in.
local closed_until
local meta, stored, stored_text

local DEFAULTS = { generation = 0, global_limit = 10, adapted = 0, adapted_at = 0, lease_ttl = 30000, longest_ttl = 0,
  stale_after = 3600000, stagger = 200, grant_ttl = 20000, call_lead = 1500, called_limit = 2, closed_until = 0,
  slot = 0, server = '' }

local function decode_meta(text)
  stored, stored_text, meta = text and cjson.decode(text) or {}, text, {}
  for name, value in pairs(DEFAULTS) do
    meta[name] = stored[name] or value
  end
  -- What a lease from before `lease_ttl` was lowered may still count on.
  meta.longest_ttl = math.max(meta.lease_ttl, meta.longest_ttl)
  -- The global limit in force, 0 = unlimited.
  meta.most = meta.global_limit
  if meta.adapted > 0 and (meta.most == 0 or meta.adapted < meta.most) then meta.most = meta.adapted end
end

local function change_meta(values)
  stored_text = nil
  for name, value in pairs(values) do
    stored[name] = value
  end
  local text = cjson.encode(stored)
  call('HSET', META, 'state', text)
  decode_meta(text)
end

local function read_meta()
  call = redis.call
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  now_us = tonumber(time[1]) * 1e6 + tonumber(time[2])
  local text = call('HGET', META, 'state')
  if not meta or text ~= stored_text then decode_meta(text) end
  -- After the clock was set back, no closure outlasts what it was meant for.
  closed_until = math.min(meta.closed_until, now + meta.longest_ttl)
end
