-- Calls: a waiter is told shortly before a slot comes free, and spends in its worker the moments that it then still has
-- to wait. A call is no promise: the slot is granted when it is free, to whoever is first then.

-- How long a slot may be overdue, and a called waiter be awaited.
local CALL_LIFE_MS = 6000
-- A waiter that was called in vain is left alone for so long.
local CALL_AGAIN_MS = 15000

-- The account's first budget of which a slot, not yet promised, is about to come free.
local function about_to_fit(account, ending)
  for _, id in ipairs(account.budgets) do
    local budget = ending[id] and read_budget(id)
    if budget and ending[id] > 0 and budget.cool_until <= now + meta.call_lead then
      local most = ceiling(budget)
      if not most or held(id) - ending[id] < most then return id end
    end
  end
  return nil
end

-- How many more may be called. Each will need a pool slot beside those of the holders.
local function spare_calls()
  local called = call('ZCOUNT', CALLED, now - CALL_LIFE_MS, '+inf')
  local spare = meta.called_limit - called
  if meta.global_limit > 0 then spare = math.min(spare, meta.global_limit - call('ZCARD', EXPIRY) - called) end
  return spare
end

-- Calls the waiters to whom the slots about to come free will go: one for each slot, whether called now or before.
local function call_next()
  local ids = call('ZRANGEBYSCORE', ENDS, now - CALL_LIFE_MS, now + meta.call_lead)
  local slots, spare = #ids, #ids > 0 and spare_calls() or 0
  if spare <= 0 then return end
  call('ZREMRANGEBYSCORE', CALLED, '-inf', now - CALL_AGAIN_MS)
  local ending = {}
  for _, id in ipairs(ids) do
    local budget = read_lease(id).budget
    ending[budget] = (ending[budget] or 0) + 1
  end
  in_order(function() return slots > 0 and spare > 0 end, function(head)
    local budget = about_to_fit(head.account, ending)
    if not budget then return false end
    ending[budget], slots = ending[budget] - 1, slots - 1
    if not call('ZSCORE', CALLED, head.id) then
      call('ZADD', CALLED, now, head.id)
      call('PUBLISH', CHANNEL, 'called|' .. head.id)
      spare = spare - 1
    end
    return true
  end)
end

-- When the next slot will be about to come free; 0 when that is not known.
local function next_call()
  if meta.called_limit == 0 then return 0 end
  local first = call('ZRANGEBYSCORE', ENDS, '(' .. now + meta.call_lead, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return first and tonumber(first) - meta.call_lead or 0
end

