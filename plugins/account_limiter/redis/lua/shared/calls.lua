-- Calls: a waiter is called shortly before a slot becomes free, and waits for the rest of the time in its worker. A
-- call is no promise: a free slot is granted to the waiter that is first at that time.

-- A slot may be overdue, and a called waiter may be awaited, for this time.
local CALL_LIFE_MS = 6000
-- A waiter that was called in vain is not called again for this time.
local CALL_AGAIN_MS = 15000
-- Age at which a count of viewers is refreshed while waiters depend on it.
local LOOK_AGAIN_MS = 10000

-- Returns the first waiters of the accounts that draw from these budgets.
local function heads_of(budget_ids)
  local heads, seen = {}, {}
  for _, budget_id in ipairs(budget_ids) do
    for _, account_id in ipairs(accounts_of(budget_id)) do
      local account = not seen[account_id] and read(ACCOUNTS, account_id)
      local head = account and account.active and next_of(account)
      seen[account_id] = true
      if head then table.insert(heads, head) end
    end
  end
  return heads
end

-- Passes waiters in their order to `serve`, while `more` returns true. When `serve` returns true, the next waiter of
-- the same account follows; otherwise the account is left out.
local function in_order(heads, more, serve)
  while #heads > 0 and more() do
    local best = 1
    for i, head in ipairs(heads) do
      if head.order < heads[best].order then best = i end
    end
    local head = heads[best]
    local behind = serve(head) and next_of(head.account, head.member)
    if behind then
      heads[best] = behind
    else
      table.remove(heads, best)
    end
  end
end

-- Returns the account's first budget with a slot that is about to become free and is not promised yet.
local function about_to_fit(account, ending, lead)
  for _, id in ipairs(account.budgets) do
    local budget = ending[id] and read(BUDGETS, id)
    if budget and ending[id] > 0 and delay_of(budget) == 0 and rests_until(budget) <= now + lead then
      local most = ceiling(budget)
      if not most or held(id) - ending[id] < most then return id end
    end
  end
  return nil
end

-- The number of further waiters that may be called. Each needs a pool slot beside those of the holders.
local function spare_calls()
  local called = call('ZCOUNT', CALLED, now - CALL_LIFE_MS, '+inf')
  local spare = meta.called_limit - called
  if meta.most > 0 then spare = math.min(spare, meta.most - call('ZCARD', EXPIRY) - called) end
  return spare
end

local function call_waiter(id)
  call('ZADD', CALLED, now, id)
  call('PUBLISH', CHANNEL, 'called|' .. id)
end

-- Calls one waiter for each slot that is about to become free, unless it was called before.
local function call_next()
  local lead = meta.call_lead
  local lease_ids = call('ZRANGEBYSCORE', ENDS, now - CALL_LIFE_MS, now + lead)
  local slots, spare = #lease_ids, #lease_ids > 0 and spare_calls() or 0
  if spare <= 0 then return end
  call('ZREMRANGEBYSCORE', CALLED, '-inf', now - CALL_AGAIN_MS)
  local ending, budget_ids = {}, {}
  for _, lease_id in ipairs(lease_ids) do
    local budget = read(LEASES, lease_id).budget
    if not ending[budget] then table.insert(budget_ids, budget) end
    ending[budget] = (ending[budget] or 0) + 1
  end
  in_order(heads_of(budget_ids), function() return slots > 0 and spare > 0 end, function(head)
    local budget = about_to_fit(head.account, ending, lead)
    if not budget then return false end
    ending[budget], slots = ending[budget] - 1, slots - 1
    if not call('ZSCORE', CALLED, head.id) then
      call_waiter(head.id)
      spare = spare - 1
    end
    return true
  end)
end

local function kept_out_by_viewers(account)
  for _, id in ipairs(account.budgets) do
    local budget = read(BUDGETS, id)
    local is_old = budget and not is_within(LOOK_AGAIN_MS, budget.viewers_at)
    if is_old and budget.viewers > 0 and not budget_has_room(budget) then return true end
  end
  return false
end

-- A task counts the viewers before it acquires. Where viewers alone keep all waiters out, no task does so: the first of
-- them is called at times, to count the viewers again.
local function call_to_look()
  if spare_calls() <= 0 then return end
  local heads = heads_of(call('SMEMBERS', VIEWED))
  in_order(heads, function() return spare_calls() > 0 end, function(head)
    local before = call('ZSCORE', CALLED, head.id)
    if kept_out_by_viewers(head.account) and (not before or tonumber(before) < now - CALL_AGAIN_MS) then
      call_waiter(head.id)
    end
    return false
  end)
end

-- The next time at which a slot is about to become free, 0 when it is unknown.
local function next_call()
  if meta.called_limit == 0 then return 0 end
  local first = call('ZRANGEBYSCORE', ENDS, '(' .. now + meta.call_lead, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return first and tonumber(first) - meta.call_lead or 0
end
