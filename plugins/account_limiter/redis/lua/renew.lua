-- Prolongs a lease. A lease that this Redis does not know registers if there is room: because Redis lost its data, or
-- because its work began without a lease while Redis was away (a generation of -1).

-- Restores lost settings from those that the holder received with its lease.
local function remembered_budget(id, limit, global_limit)
  if not stored.global_limit then change_meta({ global_limit = global_limit }) end
  -- The life promised here counts even if a shorter one is configured later.
  if not stored.longest_ttl then change_meta({ longest_ttl = meta.lease_ttl }) end
  local budget = read(BUDGETS, id)
  if not budget then
    budget = new_budget(id, limit)
    write(BUDGETS, budget)
  end
  return budget
end

-- Returns the budget of a lease whose own one was renamed while this Redis did not know the lease.
local function present_budget(account_id, budget_id)
  local account = call('HEXISTS', BUDGETS, budget_id) == 0 and read(ACCOUNTS, account_id)
  return account and account.budgets[1] or budget_id
end

-- Whether the lease is one of the `over` youngest of its budget, which give way. A lease with a fixed life does not.
local function gives_way(lease, over)
  local younger = 0
  for _, member in ipairs(call('ZRANGEBYLEX', HELD, '[' .. lease.budget .. '|', '(' .. lease.budget .. '}')) do
    local other = read(LEASES, string.sub(member, #lease.budget + 2))
    local is_younger = other and not other.fixed and (other.acquired > lease.acquired
      or (other.acquired == lease.acquired and other.id > lease.id))
    if is_younger then younger = younger + 1 end
  end
  return younger < over
end

-- The last argument is 'beat' for a lease that lives for lease_ttl, 'keep' for one with a fixed life, and 'extend' to
-- set this life again.
transition('renew', function(args)
  local id, holder, generation, account_id, budget_id, age, life, rest, limit, global_limit, info, kind = unpack(args)
  generation, age, life = tonumber(generation), tonumber(age), tonumber(life)
  local lease = read(LEASES, id)
  if generation < 0 then generation = lease and lease.generation or meta.generation end
  if generation < meta.generation then return answer('lost', 'reset') end
  if life <= 0 then return answer('lost', 'stale') end
  local budget, expires
  if lease then
    if lease.state ~= 'held' or lease.holder ~= holder then return answer('lost', 'taken') end
    budget = read(BUDGETS, lease.budget)
    if kind == 'extend' then
      lease.hard_end = now + life
      write(LEASES, lease)
    end
    expires = lease_end(lease)
    call('ZADD', EXPIRY, expires, id)
  else
    budget_id = present_budget(account_id, budget_id)
    budget = remembered_budget(budget_id, tonumber(limit), tonumber(global_limit))
    if not global_has_room() or not budget_has_room(budget) then return answer('lost', 'full') end
    lease = { id = id, state = 'held', holder = holder, account = account_id, budget = budget_id,
      generation = generation, acquired = now - age, hard_end = now + life, info = info,
      fixed = kind ~= 'beat' or nil }
    expires = lease_end(lease)
    expect_end(lease, tonumber(rest))
    write_lease(lease, expires)
    event('registered', id, account_id, info)
  end
  -- There are more leases than slots after a limit was lowered or viewers came.
  local most = budget and ceiling(budget)
  local over = most and math.max(0, held(lease.budget) - most) or 0
  grant_all()
  local asked = over > 0 and budget.viewers > 0 and not lease.fixed and gives_way(lease, over)
  return answer('renewed', expires - now, lease.hard_end - now, over, asked and 1 or 0)
end)
