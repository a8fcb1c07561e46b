-- A turn: how every transition begins, and how it is called.

-- By what name this server has been known since it started.
local server

local function reap_leases()
  for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '-inf', now, 'LIMIT', 0, 200)) do
    local lease = read(LEASES, id)
    if lease then
      drop_lease(lease)
      event('expired', id, lease.account, lease.info)
    else
      call('ZREM', EXPIRY, id)
    end
  end
end

-- A server that was not here before may have lost what its predecessor knew. Nobody is let in until every holder
-- of that time had a whole lease_ttl to register again.
local function greet()
  server = server or string.match(call('INFO', 'server'), 'run_id:(%w+)')
  if meta.server == server then return end
  closed_until = now + meta.lease_ttl
  change_meta({ server = server, closed_until = closed_until })
end

-- Whether this layout is in force. Versions with different layouts do not see each other's leases: from the moment
-- that a newer one is here, holders of an older one cannot renew, and none is let in until they have stopped.
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

local function register(name, callback, ...)
  redis.register_function({ function_name = LIBRARY .. '_' .. name, callback = callback, flags = { ... } })
end

-- Makes a transition of `work`, which gets the arguments as one table. A reset takes the limiter back from a newer
-- version: so an older one is installed again.
local function transition(name, work, ...)
  register(name, function(_, args)
    read_meta()
    if not in_force(name == 'reset') then return redis.error_reply('NEWER a newer layout is in force') end
    greet()
    sample()
    reap_leases()
    return work(args)
  end, ...)
end

-- Makes something of `work` that changes nothing, so that it can be had from a server that may not write as well.
local function reading(name, work)
  register(name, function(_, args)
    read_meta()
    return work(args)
  end, 'no-writes')
end
