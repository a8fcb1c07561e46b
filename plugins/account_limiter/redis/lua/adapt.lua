-- One step of the adaptive global limit: down by a fifth, or up by one, and no more than one step in STEP_MS.
local STEP_MS = 10 * 1000
-- So many works must have told whether the line kept up with them.
local LEAST_TOLD = 4

-- What the works that ended lately tell of the line: -1 when it is full, 0 when it may be, 1 when it is not; and why.
-- Works of one account that starve may be that provider's fault: most of the accounts must have known it.
local function line()
  local told, starved, accounts, hungry, seen = 0, 0, 0, 0, {}
  for _, member in ipairs(call('ZRANGEBYSCORE', PACES, now - PACE_LIFE_MS, '+inf')) do
    local pace, account = string.match(member, '^(.)|(.-)|')
    seen[account] = seen[account] or { told = 0, starved = 0 }
    seen[account].told, told = seen[account].told + 1, told + 1
    if pace == '1' then seen[account].starved, starved = seen[account].starved + 1, starved + 1 end
  end
  for _, one in pairs(seen) do
    accounts = accounts + 1
    if one.starved * 2 >= one.told then hungry = hungry + 1 end
  end
  local why = string.format('%d of %d works of %d accounts fell behind real time', starved, told, accounts)
  if told >= LEAST_TOLD and starved * 2 >= told and hungry * 2 > accounts then return -1, why end
  return starved * 4 > told and 0 or 1, why
end

-- direction: -1, 0 or 1, as the machine is; the least and the most that the limit may be; why. Answers the limit before
-- and after, and why.
transition('adapt', function(args)
  local direction, floor, most, why = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), args[4]
  local ceiling = lower(most, meta.global_limit)
  local current = lower(ceiling, meta.adapted)
  if is_within(STEP_MS, meta.adapted_at) then return { current, current, why } end
  local bears, told = line()
  if bears < direction then direction, why = bears, told end
  local next_limit = current + direction
  if direction < 0 then next_limit = math.min(next_limit, math.floor(current * 0.8)) end
  next_limit = math.min(ceiling, math.max(math.min(floor, ceiling), next_limit))
  if next_limit ~= meta.adapted then
    change_meta({ adapted = next_limit, adapted_at = now })
    -- What was told led to this step, and is to lead to no other.
    if direction < 0 then call('DEL', PACES) end
    event('adapted', string.format('%.0f', next_limit), '', why)
    grant_all()
  end
  return { current, next_limit, why }
end)
