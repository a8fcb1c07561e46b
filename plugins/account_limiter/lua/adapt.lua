-- One step of the adaptive global limit: down by a fifth, or up by one, and no more than one step in STEP_MS.
-- ARGV: -1, 0 or 1; the least and the most that it may be; why.
local direction, floor, most, why = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local STEP_MS = 10 * 1000

begin()
local values = call('HMGET', META, 'global_limit', 'adapted', 'adapted_at')
local configured, adapted, adapted_at = tonumber(values[1] or 10), tonumber(values[2] or 0), tonumber(values[3] or 0)
local ceiling = configured > 0 and math.min(configured, most) or most
local current = adapted > 0 and math.min(adapted, ceiling) or ceiling
if math.abs(now - adapted_at) < STEP_MS then return { current, current } end
local next_limit = current + direction
if direction < 0 then next_limit = math.min(next_limit, math.floor(current * 0.8)) end
next_limit = math.min(ceiling, math.max(math.min(floor, ceiling), next_limit))
if next_limit ~= adapted then
  call('HSET', META, 'adapted', next_limit, 'adapted_at', now)
  event('adapted', string.format('%.0f', next_limit), '', why)
  meta.global_limit = next_limit
  grant_all()
end
return { current, next_limit }
