-- Takes over settings, and all accounts with their budgets. What was learned of a budget stays.
-- ARGV: number of settings, name and value of each; '1' if accounts follow: their number, (id, active, priority,
-- budgets, info) of each, the number of budgets, (id, limit) of each.
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end

-- Leases live on as they were promised to, and the earlier holders that are waited for too: as long as was known, or
-- longer, or shorter where nothing was known.
local function change_ttl(ttl)
  local known = call('HEXISTS', META, 'lease_ttl') == 1
  call('HSET', META, 'longest_ttl', math.max(known and meta.longest_ttl or 0, ttl))
  if meta.closed_until > now and (ttl > meta.lease_ttl or not known) then
    meta.closed_until = meta.closed_until + ttl - meta.lease_ttl
    call('HSET', META, 'closed_until', meta.closed_until)
  end
end

local function configure_budget(id, limit)
  local budget = read_budget(id) or new_budget(id, limit)
  budget.limit = limit
  if limit > 0 and budget.believed >= limit then budget.believed = 0 end
  write_budget(budget)
end

begin()
for _ = 1, tonumber(take()) do
  local name, value = take(), take()
  if name == 'lease_ttl' then change_ttl(tonumber(value)) end
  call('HSET', META, name, value)
end
read_meta()
if take() == '1' then
  call('DEL', ACCOUNTS)
  for _ = 1, tonumber(take()) do
    local id = take()
    local active, priority, budgets, info = take(), take(), take(), take()
    call('HSET', ACCOUNTS, id, table.concat({ active, priority, budgets, info }, '|'))
  end
  local kept = {}
  for _ = 1, tonumber(take()) do
    local id = take()
    configure_budget(id, tonumber(take()))
    kept[id] = true
  end
  for _, id in ipairs(call('HKEYS', BUDGETS)) do
    if not kept[id] and held(id) == 0 then call('HDEL', BUDGETS, id) end
  end
end
grant_all()
return 1
