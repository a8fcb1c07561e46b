-- The queue: waiters by account and rank.

-- A waiter's head start for each step of priority. It is far longer than a queue lasts, so that a higher priority
-- goes first, and yet finite, so that nobody starves.
local HEAD_START_US = 3600 * 1e6
local WAITER_LIFE_MS = 120 * 1000
-- Nobody has listened for a waiter who was not asked after for so long: who listens asks every 10 s.
local HEARD_MS = 25 * 1000

-- A rank is a time in microseconds, so it keeps its place even in a Redis that has forgotten everything.
local function new_rank(priority)
  local sequence = math.max(now_us, tonumber(call('HGET', META, 'sequence') or 0) + 1)
  call('HSET', META, 'sequence', string.format('%.0f', sequence))
  return string.format('%017.0f', sequence - priority * HEAD_START_US)
end

local function answer(...)
  return table.concat({ ... }, '|')
end

local function enqueue(waiter, priority)
  if waiter.rank == '' then waiter.rank = new_rank(priority) end
  waiter.queued = now
  write(WAITERS, waiter)
  call('ZADD', QUEUE, 0, waiter.account .. '|' .. waiter.rank .. '|' .. waiter.id)
  call('ZADD', TOUCHED, now, waiter.id)
end

local function queued(waiter, due)
  return answer('queued', waiter.rank, due > now and due - now or 0, closed_until > now and 'closed' or 'full')
end

-- Why an account gets no slot at all, or nil.
local function barred(account)
  if not account then return 'unknown_account' end
  if not account.active then return 'inactive' end
  return nil
end

local function refuse(reason, account_id)
  count('refused', account_id)
  return answer('refused', reason)
end
