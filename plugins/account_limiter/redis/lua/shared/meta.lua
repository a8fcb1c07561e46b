-- State that every transition shares: the time, and the settings of the whole limiter.
-- The state is sets of leases and waiters; no counter exists beside them. Records are maps in MessagePack.
-- Times are milliseconds of Redis' own clock: whole numbers of 13 digits. Lua writes up to 14 digits exactly.
-- Local variables live as long as the server: they may only cache values that Redis can return again.
local call

local now, now_us
-- No slot is granted before this time.
local closed_until
local meta, stored, stored_text
-- Whether this transition found no waiter.
local queue_is_empty

-- No slot is granted for at most this time after a silence of the server.
local LONGEST_QUIET_MS = 15 * 1000

local DEFAULTS = { generation = 0, global_limit = 10, adapted = 0, adapted_at = 0, lease_ttl = 30000, longest_ttl = 0,
  stale_after = 3600000, stagger = 200, grant_ttl = 20000, call_lead = 1500, called_limit = 2, closed_until = 0,
  quiet_until = 0, slot = 0, lingers = false, server = '' }

local function decode_meta(text)
  stored, stored_text, meta = text and cjson.decode(text) or {}, text, {}
  for name, value in pairs(DEFAULTS) do
    meta[name] = stored[name] or value
  end
  -- A lease from before `lease_ttl` was lowered lives as long as its holder was promised.
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

-- After the clock was set back, a closure still ends within the longest life of a lease.
local function read_closure()
  closed_until = math.max(math.min(meta.closed_until, now + meta.longest_ttl),
    math.min(meta.quiet_until, now + LONGEST_QUIET_MS))
end

local function read_meta()
  call, queue_is_empty = redis.call, false
  local time = call('TIME')
  now_us = tonumber(time[1]) * 1e6 + tonumber(time[2])
  now = math.floor(now_us / 1000)
  local text = call('HGET', META, 'state')
  if not meta or text ~= stored_text then decode_meta(text) end
  read_closure()
end
