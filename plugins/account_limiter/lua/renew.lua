-- Prolongs a lease. One that this Redis does not know registers again if it fits, since the server may have lost it.
local id, holder, generation, account_id, budget_id, age, life, rest, limit, global_limit, info = unpack(ARGV)

-- What the holder knew when it acquired stands in for settings that are lost with the lease.
local function remembered_budget()
  if call('HEXISTS', META, 'global_limit') == 0 then
    meta.global_limit = tonumber(global_limit)
    call('HSET', META, 'global_limit', global_limit)
  end
  local budget = read_budget(budget_id)
  if not budget then
    budget = new_budget(budget_id, tonumber(limit))
    write_budget(budget)
  end
  return budget
end

-- Whether the lease is one of the youngest `over` of its budget: those give way.
local function gives_way(lease, over)
  local younger = 0
  for _, member in ipairs(call('ZRANGEBYLEX', HELD, '[' .. lease.budget .. '|', '(' .. lease.budget .. '}')) do
    local other = read_lease(string.sub(member, #lease.budget + 2))
    if other.acquired > lease.acquired or (other.acquired == lease.acquired and other.id > lease.id) then
      younger = younger + 1
    end
  end
  return younger < over
end

begin()
if tonumber(generation) < meta.generation then return { 'lost', 'reset' } end
if tonumber(life) <= 0 then return { 'lost', 'stale' } end
local lease = read_lease(id)
local budget
if lease then
  if lease.state ~= 'held' or lease.holder ~= holder then return { 'lost', 'taken' } end
  budget = read_budget(lease.budget)
else
  budget = remembered_budget()
  if not global_has_room() or not budget_has_room(budget) then return { 'lost', 'full' } end
  lease = { id = id, state = 'held', holder = holder, account = account_id, budget = budget_id,
    generation = tonumber(generation), acquired = now - tonumber(age), hard_end = now + tonumber(life), info = info }
  expect_end(lease, tonumber(rest))
  event('registered', id, account_id, info)
end
local expires = math.min(now + meta.lease_ttl, lease.hard_end)
write_lease(lease, expires)
-- More leases than slots: a limit was lowered, or viewers came.
local most = budget and ceiling(budget)
local over = most and math.max(0, held(lease.budget) - most) or 0
grant_all()
local asked = over > 0 and budget.viewers > 0 and gives_way(lease, over)
return { 'renewed', expires - now, lease.hard_end - now, over, asked and 1 or 0 }
