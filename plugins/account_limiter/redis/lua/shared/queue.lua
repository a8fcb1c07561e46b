-- The queue: waiters by account and rank.

-- Each step of priority is a head start of one hour: finite, so that no waiter starves.
local HEAD_START_US = 3600 * 1e6
local WAITER_LIFE_MS = 40 * 1000
-- A triggerer touches its waiters every 10 s. A waiter that was not touched for this time gets no grant.
local HEARD_MS = 25 * 1000

-- A queue that this transition found empty stays so until it adds a waiter.
local function has_waiters()
  queue_is_empty = queue_is_empty or call('ZCARD', QUEUE) == 0
  return not queue_is_empty
end

local function answer(...)
  return table.concat({ ... }, '|')
end

-- A rank is a time in microseconds, so a waiter keeps its place in a Redis that has lost its data.
local function new_rank(priority)
  local sequence = math.max(now_us, tonumber(call('HGET', META, 'sequence') or 0) + 1)
  call('HSET', META, 'sequence', string.format('%.0f', sequence))
  return string.format('%017.0f', sequence - priority * HEAD_START_US)
end

-- Returns the first waiter of the account, or the first behind `member`, that was touched lately; nil without one. The
-- others keep their places.
local function next_of(account, member)
  local from, many = member and '(' .. member or '[' .. account.id .. '|', 1
  while true do
    local members, ids = call('ZRANGEBYLEX', QUEUE, from, '(' .. account.id .. '}', 'LIMIT', 0, many), {}
    if #members == 0 then return nil end
    for i, text in ipairs(members) do
      ids[i] = string.match(text, '^[^|]*|[^|]*|(.*)$')
    end
    for i, touched in ipairs(call('ZMSCORE', TOUCHED, unpack(ids))) do
      if tonumber(touched) > now - HEARD_MS then
        local rank = string.match(members[i], '^[^|]*|([^|]*)')
        return { account = account, id = ids[i], member = members[i],
          order = tonumber(rank) - account.priority * HEAD_START_US }
      end
    end
    from, many = '(' .. members[#members], 100
  end
end

-- Returns the ids of all accounts that have waiters, found by jumps over the waiters.
local function accounts_with_waiters()
  local ids, from = {}, '-'
  while true do
    local member = call('ZRANGEBYLEX', QUEUE, from, '+', 'LIMIT', 0, 1)[1]
    if not member then return ids end
    local id = string.match(member, '^(.-)|')
    table.insert(ids, id)
    from = '[' .. id .. '}'
  end
end

local function waiting_for(account_id)
  return call('ZLEXCOUNT', QUEUE, '[' .. account_id .. '|', '(' .. account_id .. '}')
end

-- Returns the number of waiters that are alive, and the numbers of the account's dead ones. A reading shows no waiter
-- that the next transition reaps.
local function living_waiters()
  local dead = {}
  for _, id in ipairs(call('ZRANGEBYSCORE', TOUCHED, '-inf', now - WAITER_LIFE_MS)) do
    local text = call('HGET', WAITERS, id)
    local account = text and cmsgpack.unpack(text).account
    if account then dead[account] = (dead[account] or 0) + 1 end
  end
  return call('ZCOUNT', TOUCHED, '(' .. now - WAITER_LIFE_MS, '+inf'), dead
end

-- The reason for which an account gets no slot, or nil.
local function barred(account)
  if not account then return 'unknown_account' end
  if not account.active then return 'inactive' end
  return nil
end
