-- Room: whether a budget and the global limit allow one more lease now.

-- The longest rest after a refusal.
local LONGEST_REST_MS = 600 * 1000
-- How far ahead a start may be booked for the sake of `stagger`, holding its slot meanwhile.
local BOOKING_MS = 3000
-- How long a provider is taken at its word: for the limit, and for what it says is in use elsewhere.
local CLAIM_LIFE_MS = 24 * 3600 * 1000
local ELSEWHERE_LIFE_MS = 600 * 1000

local function held(budget_id)
  return call('ZLEXCOUNT', HELD, '[' .. budget_id .. '|', '(' .. budget_id .. '}')
end

-- The lower of two limits, or the earlier of two moments; 0 stands for none.
local function lower(one, other)
  if one == 0 or (other > 0 and other < one) then return other end
  return one
end

-- Whether a moment is no further away than that. One far ahead was noted before the clock was set back.
local function is_within(span, moment)
  return math.abs(now - moment) < span
end

-- The most that a budget could allow by what is configured and claimed; 0 = unlimited.
local function bound(budget)
  return is_within(CLAIM_LIFE_MS, budget.claimed_at) and lower(budget.limit, budget.claimed) or budget.limit
end

-- The connections of a budget that are none of ours.
local function others(budget)
  return budget.viewers + (is_within(ELSEWHERE_LIFE_MS, budget.claimed_at) and budget.elsewhere or 0)
end

-- A refusal is no news where as little is known to be allowed.
local function forget_what_is_no_limit(budget)
  local most = bound(budget)
  if most > 0 and budget.believed >= most then budget.believed = 0 end
end

local function is_ahead(moment)
  return moment > now and is_within(2 * LONGEST_REST_MS, moment)
end

-- Until when the budget rests, 0 if it does not.
local function rests_until(budget)
  return is_ahead(budget.cool_until) and budget.cool_until or 0
end

-- What the budget is held down to until a suspicion is settled, 0 without one.
local function suspicion(budget)
  return is_ahead(budget.suspected_until) and budget.suspected or 0
end

-- The limit in force: the lowest of what is configured, claimed, learned and suspected; 0 = unlimited.
local function limit_of(budget)
  return lower(bound(budget), lower(budget.believed, suspicion(budget)))
end

-- The most leases the budget allows now; nil = unlimited.
local function ceiling(budget)
  local most = limit_of(budget)
  if most == 0 then return nil end
  return math.max(0, most - others(budget))
end

local function budget_has_room(budget)
  local most = ceiling(budget)
  return not most or held(budget.id) < most
end

local function global_has_room()
  return meta.most == 0 or call('ZCARD', EXPIRY) < meta.most
end

-- The milliseconds until the budget's next start may be. A start noted before the clock was set back is forgotten.
local function starts_in(budget)
  local wait = budget.last_start + meta.stagger - now
  if meta.stagger == 0 or wait <= 0 or budget.last_start - now > BOOKING_MS + meta.stagger then return 0 end
  return wait
end

-- The first of the account's budgets that may give a slot now; else nil and when (0: not by time alone).
local function fitting(account)
  local due = 0
  for _, id in ipairs(account.budgets) do
    local budget = read(BUDGETS, id)
    if budget and budget_has_room(budget) then
      local at = math.max(rests_until(budget), now + starts_in(budget) - BOOKING_MS)
      if at <= now then return budget, 0 end
      if due == 0 or at < due then due = at end
    end
  end
  return nil, due
end
