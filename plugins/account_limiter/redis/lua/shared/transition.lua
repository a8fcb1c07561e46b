-- The frame of every transition, and its registration.

-- The run id of this server, since it started.
local server_id

local function reap_lingering()
  if not meta.lingers then return end
  for _, member in ipairs(call('ZRANGEBYSCORE', LINGERING, '-inf', now)) do
    call('ZREM', LINGERING, member)
    call('ZREM', HELD, member)
    reconsider_budget(string.match(member, '^(.-)|'))
  end
end

local function reap_leases()
  for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '-inf', now, 'LIMIT', 0, 200)) do
    local lease = read(LEASES, id)
    if lease then
      event('expired', id, lease.account, lease.info, drop_lease(lease))
    else
      call('ZREM', EXPIRY, id)
    end
  end
end

-- A server that has just started may have lost leases. It grants no slot until every earlier holder had a whole
-- lease_ttl to register again.
local function meet_server()
  server_id = server_id or string.match(call('INFO', 'server'), 'run_id:(%w+)')
  if meta.server == server_id then return end
  closed_until = now + meta.lease_ttl
  change_meta({ server = server_id, closed_until = closed_until })
end

-- The time of the latest transition; nil after this library was loaded.
local active_at
-- After no transition for SILENT_MS, nobody can tell an idle server from one that hung. Works that run without a lease
-- register within SETTLE_MS after a server responds again.
local SILENT_MS, SETTLE_MS = 3000, 1200
-- Holders renew their leases at this interval, or at a third of `lease_ttl` when that is shorter.
local LONGEST_BEAT_MS = 10 * 1000

-- Returns the longest time between two transitions while a holder is alive.
local function longest_beat()
  return 1.5 * math.min(LONGEST_BEAT_MS, meta.lease_ttl / 3)
end

-- Grants no slot for a moment after a silence of the server. When leases should have been renewed meanwhile, the server
-- hung or its clock jumped ahead: the leases may have expired although their holders are alive, so that every holder
-- gets the time to register again.
local function meet_silence()
  local gap = now - (active_at or now)
  active_at = now
  if gap >= 0 and gap < math.min(SILENT_MS, longest_beat()) then return end
  local pause = (gap < 0 or gap >= SILENT_MS) and SETTLE_MS or 0
  if gap >= longest_beat() and call('ZCARD', EXPIRY) > 0 then pause = math.max(pause, longest_beat()) end
  if pause > 0 then
    change_meta({ quiet_until = math.max(meta.quiet_until, now + pause) })
    closed_until = math.max(closed_until, now + pause)
  end
end

-- Whether this layout is in force. Versions with different layouts do not see each other's leases: when a newer one
-- runs, holders of an older one cannot renew, and no slot is granted until they have stopped.
local function in_force(takes_back)
  local layout = tonumber(call('HGET', LAYOUT, 'layout') or 0)
  if layout == OWN_LAYOUT then return true end
  if layout > OWN_LAYOUT and not takes_back then return false end
  if layout > 0 then
    local ttl = tonumber(call('HGET', LAYOUT, 'longest_ttl'))
    closed_until = now + ttl
    change_meta({ closed_until = closed_until, lease_ttl = ttl, longest_ttl = ttl })
  end
  call('HSET', LAYOUT, 'layout', OWN_LAYOUT, 'longest_ttl', meta.longest_ttl)
  return true
end

local function refuse(reason, account_id)
  count('refused', account_id)
  return answer('refused', reason)
end

local function register(name, callback, ...)
  redis.register_function({ function_name = LIBRARY .. '_' .. name, callback = callback, flags = { ... } })
end

-- Registers `work`, which receives the arguments as one table, as a transition. A reset takes the limiter back from a
-- newer version, so that an older one can be installed again.
local function transition(name, work, ...)
  register(name, function(_, args)
    read_meta()
    if not in_force(name == 'reset') then return redis.error_reply('NEWER a newer layout is in force') end
    meet_server()
    meet_silence()
    sample()
    reap_lingering()
    reap_leases()
    return work(args)
  end, ...)
end

-- Registers `work` as a function that changes nothing, which also runs on a server that cannot write.
local function reading(name, work)
  register(name, function(_, args)
    read_meta()
    return work(args)
  end, 'no-writes')
end
