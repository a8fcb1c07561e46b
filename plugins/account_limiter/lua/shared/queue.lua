-- The queue: waiters by account and rank, their order over all accounts, and the grants.

-- A waiter's head start for each step of priority. It is far longer than a queue lasts, so that a higher priority
-- goes first, and yet finite, so that nobody starves.
local HEAD_START_US = 3600 * 1e6
local WAITER_LIFE_MS = 120 * 1000

-- A rank is a time in microseconds, so it keeps its place even in a Redis that has forgotten everything.
local function new_rank(priority)
  meta.sequence = math.max(now_us, meta.sequence + 1)
  call('HSET', META, 'sequence', string.format('%.0f', meta.sequence))
  return string.format('%017.0f', meta.sequence - priority * HEAD_START_US)
end

local function enqueue(waiter, priority)
  if waiter.rank == '' then waiter.rank = new_rank(priority) end
  waiter.queued = now
  write_waiter(waiter)
  call('ZADD', QUEUE, 0, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
  call('ZADD', TOUCHED, now, waiter.id)
  count('queued', waiter.account)
end

local function queued(waiter, due)
  local prefix = waiter.account .. '|'
  local ahead = call('ZLEXCOUNT', QUEUE, '[' .. prefix, '(' .. prefix .. waiter.rank .. '|' .. waiter.id)
  return { 'queued', waiter.rank, ahead + 1, due > now and due - now or 0 }
end

-- Why an account gets no slot at all, or nil.
local function barred(account)
  if not account then return 'unknown_account' end
  if not account.active then return 'inactive' end
  return nil
end

local function refuse(reason, account_id)
  count('refused', account_id)
  return { 'refused', reason }
end

local function reap_waiters()
  for _, id in ipairs(call('ZRANGEBYSCORE', TOUCHED, '-inf', now - WAITER_LIFE_MS, 'LIMIT', 0, 500)) do
    local waiter = read_waiter(id)
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

-- The first in the account's queue, or the first behind `member`; nil if there is none.
local function next_of(account, member)
  local from = member and '(' .. member or '[' .. account.id .. '|'
  local found = call('ZRANGEBYLEX', QUEUE, from, '(' .. account.id .. '}', 'LIMIT', 0, 1)[1]
  if not found then return nil end
  local rank, id = string.match(found, '^.-|(.-)|(.*)$')
  return { account = account, id = id, member = found, order = tonumber(rank) - account.priority * HEAD_START_US }
end

-- The first of each account that has waiters, found by jumps: never a walk over all waiters.
local function heads()
  local found, from = {}, '-'
  while true do
    local member = call('ZRANGEBYLEX', QUEUE, from, '+', 'LIMIT', 0, 1)[1]
    if not member then return found end
    local account_id = string.match(member, '^(.-)|')
    local account = read_account(account_id)
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

