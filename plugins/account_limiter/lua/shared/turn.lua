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

local function register(name, callback, ...)
  redis.register_function({ function_name = LIBRARY .. '_' .. name, callback = callback, flags = { ... } })
end

-- Makes a transition of `work`, which gets the arguments as one table.
local function transition(name, work, ...)
  register(name, function(_, args)
    read_meta()
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
