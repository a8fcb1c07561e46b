-- The index of candidates: accounts that may get a slot now, by the order of their first waiter. A transition examines
-- only them, so its cost does not grow with the number of accounts.
--
-- Every account that can be served is in CANDIDATES with an order that is not too late. An account may be there in
-- vain, or with an order that is too early: the examination corrects this. An account that cannot be served leaves,
-- and returns when one of its budgets gets capacity, when a waiter is added or touched again, or at its time in DUE.
-- DRAWS holds 'budget|account' for each budget that an account draws from.

-- The time of an account that gets a slot by the passing of time alone; 0 for none.
local function due_of(account_id)
  return tonumber(call('ZSCORE', DUE, account_id) or 0)
end

local function consider(account_id)
  local account = read(ACCOUNTS, account_id)
  local head = account and account.active and next_of(account)
  call('ZREM', DUE, account_id)
  if head then
    call('ZADD', CANDIDATES, head.order, account_id)
  else
    call('ZREM', CANDIDATES, account_id)
  end
end

local function accounts_of(budget_id)
  local members = call('ZRANGEBYLEX', DRAWS, '[' .. budget_id .. '|', '(' .. budget_id .. '}')
  for i, member in ipairs(members) do
    members[i] = string.sub(member, #budget_id + 2)
  end
  return members
end

function reconsider_budget(budget_id)
  if not has_waiters() then return end
  for _, account_id in ipairs(accounts_of(budget_id)) do
    consider(account_id)
  end
end

local function consider_all()
  call('DEL', CANDIDATES, DUE)
  for _, account_id in ipairs(accounts_with_waiters()) do
    consider(account_id)
  end
end

local function consider_due()
  for _, account_id in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', now)) do
    consider(account_id)
  end
end

-- Returns the first waiter to serve and the budget for its slot, nil when no waiter can be served.
local function next_to_serve()
  while true do
    local id, order = unpack(call('ZRANGE', CANDIDATES, 0, 0, 'WITHSCORES'))
    if not id then return nil end
    local account = read(ACCOUNTS, id)
    local head = account and account.active and next_of(account)
    if not head then
      call('ZREM', CANDIDATES, id)
    elseif head.order ~= tonumber(order) then
      call('ZADD', CANDIDATES, head.order, id)
    else
      local budget, due = fitting(account)
      if budget then return head, budget end
      call('ZREM', CANDIDATES, id)
      if due > 0 then call('ZADD', DUE, due, id) end
    end
  end
end

local function enqueue(waiter, priority)
  if waiter.rank == '' then waiter.rank = new_rank(priority) end
  waiter.queued = now
  write(WAITERS, waiter)
  queue_is_empty = false
  call('ZADD', QUEUE, 0, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
  call('ZADD', TOUCHED, now, waiter.id)
  consider(waiter.account)
end

-- Notes that a triggerer or a worker waits for the waiter's grant.
local function touch(waiter)
  local before = tonumber(call('ZSCORE', TOUCHED, waiter.id) or 0)
  call('ZADD', TOUCHED, now, waiter.id)
  if before <= now - HEARD_MS then consider(waiter.account) end
end

-- Returns the reply for a waiter; without `due`, its account's place in the index says when a slot may become free.
local function queued(waiter, due)
  local closed = closed_until > now
  due = closed and closed_until or due or due_of(waiter.account)
  return answer('queued', waiter.rank, due > now and due - now or 0, closed and 'closed' or 'full')
end
