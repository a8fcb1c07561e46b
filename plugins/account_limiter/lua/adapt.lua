-- One step of the adaptive global limit: down by a fifth, or up by one, and no more than one step in STEP_MS.
local STEP_MS = 10 * 1000

-- direction: -1, 0 or 1; the least and the most that it may be; why.
transition('adapt', function(args)
  local direction, floor, most, why = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), args[4]
  local ceiling = lower(most, meta.global_limit)
  local current = lower(ceiling, meta.adapted)
  if math.abs(now - meta.adapted_at) < STEP_MS then return { current, current } end
  local next_limit = current + direction
  if direction < 0 then next_limit = math.min(next_limit, math.floor(current * 0.8)) end
  next_limit = math.min(ceiling, math.max(math.min(floor, ceiling), next_limit))
  if next_limit ~= meta.adapted then
    change_meta({ adapted = next_limit, adapted_at = now })
    event('adapted', string.format('%.0f', next_limit), '', why)
    grant_all()
  end
  return { current, next_limit }
end)
