-- Capacity: whether a budget and the global limit allow one more lease now.

-- The longest pause of a budget after a refusal.
local LONGEST_REST_MS = 600 * 1000
-- A start may be booked this far ahead for the sake of `stagger`; its slot is held meanwhile.
local BOOKING_MS = 3000
-- A provider's statement is valid for this time: the limit, and the connections elsewhere.
local CLAIM_LIFE_MS = 24 * 3600 * 1000
local ELSEWHERE_LIFE_MS = 600 * 1000

-- A learned delay of releases is valid for this time.
local DELAY_LIFE_MS = 24 * 3600 * 1000

-- Returns the number of slots in use: leases, and connections that the provider still counts after their end.
local function held(budget_id)
  return call('ZLEXCOUNT', HELD, '[' .. budget_id .. '|', '(' .. budget_id .. '}')
end

-- Returns the lower of two limits, or the earlier of two times; 0 stands for none.
local function lower(one, other)
  if one == 0 or (other > 0 and other < one) then return other end
  return one
end

-- Whether a time is less than `span` away. A time far ahead was stored before the clock was set back.
local function is_within(span, time)
  return math.abs(now - time) < span
end

function delay_of(budget)
  if budget.release_delay then return budget.release_delay end
  if not budget.learned_delay then return 0 end
  return is_within(DELAY_LIFE_MS, budget.delay_at) and budget.learned_delay or 0
end

-- Returns the number of a budget's connections that are open: its claimed leases, but those that were refused.
local function open_connections(budget_id)
  local open = 0
  for _, member in ipairs(call('ZRANGEBYLEX', HELD, '[' .. budget_id .. '|', '(' .. budget_id .. '}')) do
    local lease = read(LEASES, string.sub(member, #budget_id + 2))
    if lease and lease.state == 'held' and not lease.refused then open = open + 1 end
  end
  return open
end

local function is_ahead(time)
  return time > now and is_within(2 * LONGEST_REST_MS, time)
end

-- The limit by configuration and claim, 0 = unlimited.
local function bound(budget)
  return is_within(CLAIM_LIFE_MS, budget.claimed_at) and lower(budget.limit, budget.claimed) or budget.limit
end

-- The connections of a budget that no lease holds.
local function others(budget)
  return budget.viewers + (is_within(ELSEWHERE_LIFE_MS, budget.claimed_at) and budget.elsewhere or 0)
end

-- A learned limit that is not below the bound says nothing.
local function forget_useless_belief(budget)
  local most = bound(budget)
  if most > 0 and budget.believed >= most then budget.believed = 0 end
end

-- The end of the budget's pause, 0 without one.
local function rests_until(budget)
  return is_ahead(budget.cool_until) and budget.cool_until or 0
end

-- The limit while a suspicion is not settled, 0 without one.
local function suspicion(budget)
  return is_ahead(budget.suspected_until) and budget.suspected or 0
end

-- The limit in force: the lowest of what is configured, claimed, learned and suspected; 0 = unlimited.
local function limit_of(budget)
  return lower(bound(budget), lower(budget.believed, suspicion(budget)))
end

-- The leases that the budget allows now; nil = unlimited.
local function ceiling(budget)
  local most = limit_of(budget)
  if most == 0 then return nil end
  return math.max(0, most - others(budget))
end

-- Returns whether the budget has a free slot, and the number of those in use.
local function budget_has_room(budget)
  local most, used = ceiling(budget), held(budget.id)
  return not most or used < most, used
end

local function global_has_room()
  return meta.most == 0 or call('ZCARD', EXPIRY) < meta.most
end

-- Milliseconds until `stagger` has passed after a start. A start further ahead than `span` was stored before the
-- clock was set back, and does not count.
local function stagger_after(start, span)
  local wait = start + meta.stagger - now
  if meta.stagger == 0 or wait <= 0 or start - now > span + meta.stagger then return 0 end
  return wait
end

-- Milliseconds until the next start that the budget can book. Grants are booked, so that waiters which are granted
-- slots at the same time do not hold them for long before their starts.
local function starts_in(budget)
  return stagger_after(budget.booked_start, BOOKING_MS)
end

-- The caller writes the budget.
local function book_start(budget)
  if meta.stagger == 0 then return 0 end
  budget.booked_start = now + starts_in(budget)
  return budget.booked_start
end

-- Returns the milliseconds until the start of a lease that is claimed now, at its booked time or later. A claim may
-- come later than its booked start, so the starts of claimed leases are spaced as well.
local function claim_start(budget, booked)
  if meta.stagger == 0 then return 0 end
  local wait = math.min(math.max(0, booked - now), BOOKING_MS + meta.stagger)
  wait = math.max(wait, stagger_after(budget.last_start, BOOKING_MS + meta.grant_ttl))
  budget.last_start = now + wait
  write(BUDGETS, budget)
  return wait
end

-- The next time at which a claim, connections elsewhere or a suspicion expire, so that the ceiling may rise; 0 for
-- none.
local function eases_at(budget)
  local at = suspicion(budget) > 0 and budget.suspected_until or 0
  if budget.claimed > 0 and is_within(CLAIM_LIFE_MS, budget.claimed_at) then
    at = lower(at, budget.claimed_at + CLAIM_LIFE_MS)
  end
  if budget.elsewhere > 0 and is_within(ELSEWHERE_LIFE_MS, budget.claimed_at) then
    at = lower(at, budget.claimed_at + ELSEWHERE_LIFE_MS)
  end
  return at
end

-- Returns the first of the account's budgets that can give a slot now, 0, and the number of its slots in use. Otherwise
-- returns nil and the time at which one may do so by the passing of time alone, 0 for none.
local function fitting(account)
  local due = 0
  for _, id in ipairs(account.budgets) do
    local budget = read(BUDGETS, id)
    local has_room, used = false, 0
    if budget then has_room, used = budget_has_room(budget) end
    if has_room then
      local at = math.max(rests_until(budget), now + starts_in(budget) - BOOKING_MS)
      if at <= now then return budget, 0, used end
      due = lower(due, at)
    elseif budget then
      due = lower(due, eases_at(budget))
    end
  end
  return nil, due
end
