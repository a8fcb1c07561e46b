-- Grants and calls: which waiters get the slots that are free, and which are told that one is about to come free.

local function reap_waiters()
  for _, id in ipairs(call('ZRANGEBYSCORE', TOUCHED, '-inf', now - WAITER_LIFE_MS, 'LIMIT', 0, 500)) do
    local waiter = read(WAITERS, id)
    if waiter then
      drop_waiter(waiter)
      event('forgotten', id, waiter.account, waiter.info)
    else
      call('ZREM', TOUCHED, id)
    end
  end
end

local function grant(waiter, budget)
  drop_waiter(waiter)
  write_lease({ id = waiter.id, state = 'granted', holder = '', account = waiter.account, budget = budget.id,
    generation = meta.generation, acquired = now, hard_end = now + meta.grant_ttl,
    expected_end = now + meta.grant_ttl + waiter.duration, info = waiter.info }, now + meta.grant_ttl)
  call('ZADD', GRANTED, now, waiter.id)
  count('granted', waiter.account)
  count('wait_ms', waiter.account, math.max(0, now - waiter.queued))
  call('PUBLISH', CHANNEL, waiter.id)
end

-- The first in the account's queue, or the first behind `member`, of those whom a grant would reach; nil if there is
-- none. The others keep their places: they are served as soon as somebody asks for them again.
local function next_of(account, member)
  local from, many = member and '(' .. member or '[' .. account.id .. '|', 1
  while true do
    local found, ids = call('ZRANGEBYLEX', QUEUE, from, '(' .. account.id .. '}', 'LIMIT', 0, many), {}
    if #found == 0 then return nil end
    for i, text in ipairs(found) do
      ids[i] = string.match(text, '^[^|]*|[^|]*|(.*)$')
    end
    for i, touched in ipairs(call('ZMSCORE', TOUCHED, unpack(ids))) do
      if tonumber(touched) > now - HEARD_MS then
        local rank = string.match(found[i], '^[^|]*|([^|]*)')
        return { account = account, id = ids[i], member = found[i],
          order = tonumber(rank) - account.priority * HEAD_START_US }
      end
    end
    from, many = '(' .. found[#found], 100
  end
end

-- The first of each account that has waiters, found by jumps: never a walk over all waiters.
local function heads()
  local found, from = {}, '-'
  while true do
    local member = call('ZRANGEBYLEX', QUEUE, from, '+', 'LIMIT', 0, 1)[1]
    if not member then return found end
    local account_id = string.match(member, '^(.-)|')
    local account = read(ACCOUNTS, account_id)
    if account and account.active then table.insert(found, next_of(account)) end
    from = '[' .. account_id .. '}'
  end
end

-- Goes through the waiters in their order. `serve` is called with each and says whether it got something: then the next
-- of its account is looked at, else the rest of the account is left out. Ends when `more` says so.
local function in_order(more, serve)
  local list = more() and heads() or {}
  while #list > 0 and more() do
    local best = 1
    for i, head in ipairs(list) do
      if head.order < list[best].order then best = i end
    end
    local head = list[best]
    local behind = serve(head) and next_of(head.account, head.member)
    if behind then
      list[best] = behind
    else
      table.remove(list, best)
    end
  end
end

-- Calls: a waiter is told shortly before a slot comes free, and spends in its worker the moments that it then still has
-- to wait. A call is no promise: the slot is granted when it is free, to whoever is first then.

-- How long a slot may be overdue, and a called waiter be awaited.
local CALL_LIFE_MS = 6000
-- A waiter that was called in vain is left alone for so long.
local CALL_AGAIN_MS = 15000
-- How old a count of viewers may grow while waiters depend on it.
local LOOK_AGAIN_MS = 10000

-- The account's first budget of which a slot, not yet promised, is about to come free.
local function about_to_fit(account, ending, lead)
  for _, id in ipairs(account.budgets) do
    local budget = ending[id] and read(BUDGETS, id)
    if budget and ending[id] > 0 and rests_until(budget) <= now + lead then
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
  if meta.most > 0 then spare = math.min(spare, meta.most - call('ZCARD', EXPIRY) - called) end
  return spare
end

-- Calls the waiters to whom the slots about to come free will go: one for each slot, whether called now or before.
local function call_next()
  local lead = meta.call_lead
  local ids = call('ZRANGEBYSCORE', ENDS, now - CALL_LIFE_MS, now + lead)
  local slots, spare = #ids, #ids > 0 and spare_calls() or 0
  if spare <= 0 then return end
  call('ZREMRANGEBYSCORE', CALLED, '-inf', now - CALL_AGAIN_MS)
  local ending = {}
  for _, id in ipairs(ids) do
    local budget = read(LEASES, id).budget
    ending[budget] = (ending[budget] or 0) + 1
  end
  in_order(function() return slots > 0 and spare > 0 end, function(head)
    local budget = about_to_fit(head.account, ending, lead)
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

local function kept_out_by_viewers(account)
  for _, id in ipairs(account.budgets) do
    local budget = read(BUDGETS, id)
    local is_old = budget and not is_within(LOOK_AGAIN_MS, budget.viewers_at)
    if is_old and budget.viewers > 0 and not budget_has_room(budget) then return true end
  end
  return false
end

-- Viewers are counted by whoever is about to acquire. Where they alone keep all waiters out, nobody is: then the first
-- of them is called now and then, to look whether they are still there.
local function call_to_look()
  in_order(function() return spare_calls() > 0 end, function(head)
    local before = call('ZSCORE', CALLED, head.id)
    if kept_out_by_viewers(head.account) and (not before or tonumber(before) < now - CALL_AGAIN_MS) then
      call('ZADD', CALLED, now, head.id)
      call('PUBLISH', CHANNEL, 'called|' .. head.id)
    end
    return false
  end)
end

-- Gives every free slot to the first waiter who fits, and calls those who come next. Answers the next moment at which
-- time alone lets somebody in, 0 when there is none.
local function grant_all()
  if call('ZCARD', QUEUE) == 0 then return 0 end
  reap_waiters()
  if closed_until > now then return closed_until end
  local due = 0
  in_order(global_has_room, function(head)
    local budget, later = fitting(head.account)
    if budget then grant(read(WAITERS, head.id), budget) end
    due = lower(due, later)
    return budget
  end)
  call_next()
  return due
end

-- When the next slot will be about to come free; 0 when that is not known.
local function next_call()
  if meta.called_limit == 0 then return 0 end
  local first = call('ZRANGEBYSCORE', ENDS, '(' .. now + meta.call_lead, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return first and tonumber(first) - meta.call_lead or 0
end
