-- One step of the adaptive global limit: down by a fifth, or up by one, and no more than one step in STEP_MS.
local STEP_MS = 10 * 1000
-- The line is judged by at least this number of finished works.
local LEAST_PACES = 4

-- Judges the line by the pace of the works that ended lately. Returns -1 when it is full, 0 when it may be full, 1
-- when it is not, and the reason. Works of a single account may starve because of their provider: most accounts must
-- starve.
local function judge_line()
  local measured, starved, accounts, hungry, seen = 0, 0, 0, 0, {}
  for _, member in ipairs(call('ZRANGEBYSCORE', PACES, now - PACE_LIFE_MS, '+inf')) do
    local pace, account = string.match(member, '^(.)|(.-)|')
    seen[account] = seen[account] or { measured = 0, starved = 0 }
    seen[account].measured, measured = seen[account].measured + 1, measured + 1
    if pace == '1' then seen[account].starved, starved = seen[account].starved + 1, starved + 1 end
  end
  for _, one in pairs(seen) do
    accounts = accounts + 1
    if one.starved * 2 >= one.measured then hungry = hungry + 1 end
  end
  local why = string.format('%d of %d works of %d accounts fell behind real time', starved, measured, accounts)
  if measured >= LEAST_PACES and starved * 2 >= measured and hungry * 2 > accounts then return -1, why end
  return starved * 4 > measured and 0 or 1, why
end

-- Arguments: the direction by the load of the machine (-1, 0 or 1), the least and the greatest limit, the reason.
-- Returns the limit before and after, and the reason.
transition('adapt', function(args)
  local direction, floor, most, why = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), args[4]
  local greatest = lower(most, meta.global_limit)
  local current = lower(greatest, meta.adapted)
  if is_within(STEP_MS, meta.adapted_at) then return { current, current, why } end
  local line_direction, line_reason = judge_line()
  if line_direction < direction then direction, why = line_direction, line_reason end
  local next_limit = current + direction
  if direction < 0 then next_limit = math.min(next_limit, math.floor(current * 0.8)) end
  next_limit = math.min(greatest, math.max(math.min(floor, greatest), next_limit))
  if next_limit ~= meta.adapted then
    change_meta({ adapted = next_limit, adapted_at = now })
    -- A measurement lowers the limit once.
    if direction < 0 then call('DEL', PACES) end
    event('adapted', '', '', cjson.encode({ global_limit = next_limit, reason = why }))
    grant_all()
  end
  return { current, next_limit, why }
end)
