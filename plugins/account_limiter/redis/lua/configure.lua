-- Changes settings, and replaces all accounts and their budgets. Limits learned from refusals stay.

-- Leases keep the life that their holders were promised. The wait for earlier holders becomes longer with a longer
-- life, and shorter only when no life was configured before.
local function change_ttl(ttl)
  if closed_until > now and (ttl > meta.lease_ttl or not stored.lease_ttl) then
    closed_until = closed_until + ttl - meta.lease_ttl
  end
  change_meta({ longest_ttl = math.max(stored.longest_ttl or 0, ttl), closed_until = closed_until })
end

local function configure_budget(id, limit)
  local budget = read(BUDGETS, id) or new_budget(id, limit)
  budget.limit = limit
  forget_useless_belief(budget)
  write(BUDGETS, budget)
end

-- Arguments: the number of settings, (name, value) of each; '1' if accounts follow: their number, (id, active,
-- priority, info, number of budgets, ids of the budgets) of each, the number of all budgets, (id, limit) of each.
transition('configure', function(args)
  local at = 0
  local function take()
    at = at + 1
    return args[at]
  end

  local settings = {}
  for _ = 1, tonumber(take()) do
    local name = take()
    settings[name] = tonumber(take())
  end
  if settings.lease_ttl then change_ttl(settings.lease_ttl) end
  change_meta(settings)
  call('HSET', LAYOUT, 'longest_ttl', meta.longest_ttl)
  if take() == '1' then
    call('DEL', ACCOUNTS, DRAWS)
    for _ = 1, tonumber(take()) do
      local id, active, priority, info, budgets = take(), take() == '1', tonumber(take()), take(), {}
      for i = 1, tonumber(take()) do
        budgets[i] = take()
        call('ZADD', DRAWS, 0, budgets[i] .. '|' .. id)
      end
      write(ACCOUNTS, { id = id, active = active, priority = priority, info = info, budgets = budgets })
    end
    local kept = {}
    for _ = 1, tonumber(take()) do
      local id = take()
      configure_budget(id, tonumber(take()))
      kept[id] = true
    end
    for _, id in ipairs(call('HKEYS', BUDGETS)) do
      if not kept[id] and held(id) == 0 then
        call('HDEL', BUDGETS, id)
        call('SREM', VIEWED, id)
      end
    end
  end
  consider_all()
  grant_all()
  return 1
end)
