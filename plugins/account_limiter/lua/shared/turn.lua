-- A turn: how every transition begins.

local function reap_leases()
  for _, id in ipairs(call('ZRANGEBYSCORE', EXPIRY, '-inf', now, 'LIMIT', 0, 200)) do
    local lease = read_lease(id)
    if lease then
      drop_lease(lease)
      event('expired', id, lease.account, lease.info)
    else
      call('ZREM', EXPIRY, id)
    end
  end
end

-- A server that was not here before may have lost what its predecessor knew. Nobody is let in until every holder
-- of that time had a whole lease_ttl to register again. It does not know the scripts either: from 7 on, Redis forgets
-- them when it ends, so that only a script that was sent in full can be the first (see scripts.py).
local function greet()
  if not FRESH and meta.forgets then return end
  local about = call('INFO', 'server')
  local server = string.match(about, 'run_id:(%w+)')
  if server == call('HGET', META, 'server') then return end
  meta.closed_until = now + meta.lease_ttl
  local major = tonumber(string.match(about, 'redis_version:(%d+)'))
  call('HSET', META, 'server', server, 'closed_until', meta.closed_until, 'forgets', major >= 7 and 1 or 0)
end

local function read_meta()
  local time = call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  now_us = tonumber(time[1]) * 1e6 + tonumber(time[2])
  local values = call('HMGET', META, 'generation', 'global_limit', 'lease_ttl', 'stale_after', 'stagger', 'grant_ttl',
    'closed_until', 'slot', 'forgets', 'adapted', 'longest_ttl')
  meta.generation = tonumber(values[1] or 0)
  meta.global_limit = tonumber(values[2] or 10)
  meta.lease_ttl = tonumber(values[3] or 30000)
  meta.stale_after = tonumber(values[4] or 3600000)
  meta.stagger = tonumber(values[5] or 200)
  meta.grant_ttl = tonumber(values[6] or 20000)
  -- What a lease from before `lease_ttl` was lowered may still count on.
  meta.longest_ttl = math.max(meta.lease_ttl, tonumber(values[11] or 0))
  -- After the clock was set back, no closure outlasts what it was meant for.
  meta.closed_until = math.min(tonumber(values[7] or 0), now + meta.longest_ttl)
  -- The slot of the last transition: what happened in it is not sampled yet.
  meta.slot = tonumber(values[8] or 0)
  meta.forgets = values[9] == '1'
  local adapted = tonumber(values[10] or 0)
  if adapted > 0 and (meta.global_limit == 0 or adapted < meta.global_limit) then meta.global_limit = adapted end
end

local function begin()
  read_meta()
  greet()
  sample()
  reap_leases()
end

