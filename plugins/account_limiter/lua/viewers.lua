-- Notes how many viewers each budget has. ARGV: when it was seen, '1' if unnamed budgets have none, (id, viewers)…
local seen_at, complete = tonumber(ARGV[1]), ARGV[2] == '1'

begin()
local seen = {}
for i = 3, #ARGV, 2 do
  seen[ARGV[i]] = tonumber(ARGV[i + 1])
end
local changed = 0
for _, id in ipairs(call('HKEYS', BUDGETS)) do
  local budget, viewers = read_budget(id), seen[id] or (complete and 0 or nil)
  if viewers and budget.viewers_at <= seen_at then
    if budget.viewers ~= viewers then changed = changed + 1 end
    budget.viewers, budget.viewers_at = viewers, seen_at
    write_budget(budget)
  end
end
grant_all()
return changed
