-- Returns the budgets whose connections ended in the last minute: (budget, number of them, milliseconds since the
-- latest) of each.
reading('closed', function()
  local ids, numbers, ages = {}, {}, {}
  for _, one in ipairs(closed_lately()) do
    local id = string.match(one[1], '^(.-)|')
    if not numbers[id] then
      table.insert(ids, id)
      ages[id] = now - one[2]
    end
    numbers[id] = (numbers[id] or 0) + 1
  end
  local found = {}
  for _, id in ipairs(ids) do
    table.insert(found, { id, numbers[id], ages[id] })
  end
  return found
end)
