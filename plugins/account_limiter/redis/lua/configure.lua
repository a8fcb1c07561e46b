-- Changes settings, and replaces all accounts and their budgets. Limits learned from refusals stay.

-- Leases keep the life that their holders were promised. The wait for earlier holders becomes longer with a longer
-- life, and shorter only when no life was configured before.
local function change_ttl(ttl)
  local closed = math.min(meta.closed_until, now + meta.longest_ttl)
  if closed > now and (ttl > meta.lease_ttl or not stored.lease_ttl) then closed = closed + ttl - meta.lease_ttl end
  change_meta({ longest_ttl = math.max(stored.longest_ttl or 0, ttl), closed_until = closed })
  read_closure()
end

local function configure_budget(id, limit, release_delay)
  local budget = read(BUDGETS, id) or new_budget(id, limit)
  budget.limit, budget.release_delay = limit, release_delay >= 0 and release_delay or nil
  forget_useless_belief(budget)
  write(BUDGETS, budget)
end

-- Adds what is known of an old budget to the new one that replaces it.
local function inherit(budget, old)
  budget.viewers, budget.viewers_at = budget.viewers + old.viewers, math.max(budget.viewers_at, old.viewers_at)
  budget.believed, budget.learned_at = lower(budget.believed, old.believed), math.max(budget.learned_at, old.learned_at)
  budget.suspected = lower(budget.suspected, old.suspected)
  budget.suspected_until = math.max(budget.suspected_until, old.suspected_until)
  budget.cool_until = math.max(budget.cool_until, old.cool_until)
  budget.booked_start = math.max(budget.booked_start, old.booked_start)
  budget.last_start = math.max(budget.last_start, old.last_start)
  budget.busy_count, budget.busy_at = budget.busy_count + old.busy_count, math.max(budget.busy_at, old.busy_at)
  if old.claimed_at > budget.claimed_at then
    budget.claimed, budget.claimed_at, budget.words = old.claimed, old.claimed_at, old.words
    budget.elsewhere = old.elsewhere
  end
  if (old.delay_at or 0) > (budget.delay_at or 0) then
    for _, name in ipairs({ 'learned_delay', 'delay_at', 'delay_gap', 'delay_words' }) do
      budget[name] = old[name]
    end
  end
end

-- A budget whose id no account names any more was renamed, for instance because its login proved to be shared. Returns
-- the new id by the old one. A new budget inherits what is known of the old ones.
local function renamed_budgets(accounts, old_accounts, limits)
  local renamed, created = {}, {}
  for _, account in ipairs(accounts) do
    local old_account = old_accounts[account.id]
    for i, old_id in ipairs(old_account and old_account.budgets or {}) do
      local old, id = not limits[old_id] and not renamed[old_id] and read(BUDGETS, old_id), nil
      if old then id = account.budgets[i] or account.budgets[1] end
      if id then
        renamed[old_id] = id
        if not created[id] and call('HEXISTS', BUDGETS, id) == 0 then created[id] = new_budget(id, 0) end
        if created[id] then inherit(created[id], old) end
      end
    end
  end
  for id, budget in pairs(created) do
    write(BUDGETS, budget)
    if budget.viewers > 0 then call('SADD', VIEWED, id) end
  end
  return renamed
end

local function move_leases(renamed)
  if not next(renamed) then return end
  for _, lease_id in ipairs(call('HKEYS', LEASES)) do
    local lease = read(LEASES, lease_id)
    local id = renamed[lease.budget]
    if id then
      call('ZREM', HELD, lease.budget .. '|' .. lease_id)
      call('ZADD', HELD, 0, id .. '|' .. lease_id)
      lease.budget = id
      write(LEASES, lease)
    end
  end
  local members = call('ZRANGE', LINGERING, 0, -1, 'WITHSCORES')
  for i = 1, #members, 2 do
    local old, rest = string.match(members[i], '^(.-)(|.*)$')
    if renamed[old] then
      call('ZREM', LINGERING, members[i])
      call('ZREM', HELD, members[i])
      call('ZADD', LINGERING, members[i + 1], renamed[old] .. rest)
      call('ZADD', HELD, 0, renamed[old] .. rest)
    end
  end
end

local function replace_accounts(accounts, budget_ids, limits, delays)
  local old_accounts = {}
  for _, id in ipairs(call('HKEYS', ACCOUNTS)) do
    old_accounts[id] = read(ACCOUNTS, id)
  end
  call('DEL', ACCOUNTS, DRAWS)
  for _, account in ipairs(accounts) do
    write(ACCOUNTS, account)
    for _, budget_id in ipairs(account.budgets) do
      call('ZADD', DRAWS, 0, budget_id .. '|' .. account.id)
    end
  end
  move_leases(renamed_budgets(accounts, old_accounts, limits))
  for _, id in ipairs(budget_ids) do
    configure_budget(id, limits[id], delays[id])
  end
  for _, id in ipairs(call('HKEYS', BUDGETS)) do
    if not limits[id] and held(id) == 0 then
      call('HDEL', BUDGETS, id)
      call('SREM', VIEWED, id)
    end
  end
end

-- Arguments: the number of settings, (name, value) of each; '1' if accounts follow: their number, (id, active,
-- priority, info, number of budgets, ids of the budgets) of each, the number of all budgets, (id, limit, release delay
-- in ms or -1) of each.
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
    local accounts, budget_ids, limits, delays = {}, {}, {}, {}
    for n = 1, tonumber(take()) do
      local id, active, priority, info, budgets = take(), take() == '1', tonumber(take()), take(), {}
      for i = 1, tonumber(take()) do
        budgets[i] = take()
      end
      accounts[n] = { id = id, active = active, priority = priority, info = info, budgets = budgets }
    end
    for n = 1, tonumber(take()) do
      budget_ids[n] = take()
      limits[budget_ids[n]], delays[budget_ids[n]] = tonumber(take()), tonumber(take())
    end
    replace_accounts(accounts, budget_ids, limits, delays)
  end
  consider_all()
  grant_all()
  return 1
end)
