-- History: one sample for each time slot, written by the first transition after the slot. A slot without transitions
-- has no sample. TALLY counts the events of the current slot. Samples lie in rings, so their number is bounded
-- whatever the clock does: a day of fine and 30 days of coarse ones.
local FINE_MS, FINE_KEPT = 10 * 1000, 8640
local COARSE_MS, COARSE_KEPT = 300 * 1000, 8640
-- A sample has at most this number of accounts; the least busy ones beyond it are summed up as the account ''.
local ACCOUNTS_SAMPLED = 100
-- A sample is 'slot,account|active|waiting|granted|refused|finished|wait_ms,…', without accounts that have only zeros.
local COUNTED = { 'granted', 'refused', 'finished', 'wait_ms' }

local function count(what, account, amount)
  call('HINCRBY', TALLY, what .. '|' .. account, amount or 1)
end

local function row_of(rows, account)
  if not rows[account] then
    rows[account] = { active = 0, waiting = 0, granted = 0, refused = 0, finished = 0, wait_ms = 0 }
  end
  return rows[account]
end

-- Returns each account's leases and waiters now, and its events since the last sample.
local function current_rows()
  local rows = {}
  for _, text in ipairs(call('HVALS', LEASES)) do
    local row = row_of(rows, cmsgpack.unpack(text).account)
    row.active = row.active + 1
  end
  for _, account in ipairs(accounts_with_waiters()) do
    row_of(rows, account).waiting = waiting_for(account)
  end
  local tally = call('HGETALL', TALLY)
  for i = 1, #tally, 2 do
    local what, account = string.match(tally[i], '^([^|]*)|(.*)$')
    row_of(rows, account)[what] = tonumber(tally[i + 1])
  end
  return rows
end

local function add_state(row, other, weight)
  row.active, row.waiting = row.active + other.active * weight, row.waiting + other.waiting * weight
end

local function add_counts(row, other)
  for _, what in ipairs(COUNTED) do
    row[what] = row[what] + other[what]
  end
end

local function bounded(rows)
  local names = {}
  for account in pairs(rows) do
    table.insert(names, account)
  end
  if #names <= ACCOUNTS_SAMPLED then return rows end
  local function load(account)
    return rows[account].active + rows[account].waiting
  end
  table.sort(names, function(a, b)
    if load(a) ~= load(b) then return load(a) > load(b) end
    return a < b
  end)
  local kept = {}
  for i, account in ipairs(names) do
    if i < ACCOUNTS_SAMPLED then
      kept[account] = rows[account]
    else
      add_state(row_of(kept, ''), rows[account], 1)
      add_counts(row_of(kept, ''), rows[account])
    end
  end
  return kept
end

local function sample_text(slot, rows)
  local parts = { string.format('%.0f', slot) }
  for account, row in pairs(bounded(rows)) do
    table.insert(parts, table.concat({ account, string.format('%.4g', row.active), string.format('%.4g', row.waiting),
      row.granted, row.refused, row.finished, row.wait_ms }, '|'))
  end
  return table.concat(parts, ',')
end

local function rows_of(text, slot)
  if not text or tonumber(string.match(text, '^%d+')) ~= slot then return nil end
  local rows = {}
  for account, active, waiting, granted, refused, finished, wait_ms in
    string.gmatch(text, ',([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^|]*)|([^,]*)') do
    rows[account] = { active = active, waiting = waiting, granted = granted, refused = refused, finished = finished,
      wait_ms = wait_ms }
  end
  return rows
end

-- Returns the means and counts of one coarse slot. A state lasts until the next sample, for at most the life of a lease
-- that is not renewed.
local function coarse_rows(slot)
  local many, lasts = COARSE_MS / FINE_MS, math.min(360, math.ceil(meta.lease_ttl / FINE_MS))
  local first, fields = slot * many, {}
  for i = -lasts, many - 1 do
    table.insert(fields, (first + i) % FINE_KEPT)
  end
  local means, state, age = {}, {}, 0
  for i, text in ipairs(call('HMGET', HISTORY, unpack(fields))) do
    local at = first - lasts + i - 1
    local rows = rows_of(text, at)
    state, age = rows or state, rows and 0 or age + 1
    if at >= first and age < lasts then
      for account, row in pairs(state) do
        add_state(row_of(means, account), row, 1 / many)
        if rows then add_counts(row_of(means, account), row) end
      end
    end
  end
  return means
end

local function sample()
  local slot, last = math.floor(now / FINE_MS), meta.slot
  if slot == last then return end
  change_meta({ slot = slot })
  if last == 0 then return end
  call('HSET', HISTORY, last % FINE_KEPT, sample_text(last, current_rows()))
  call('DEL', TALLY)
  local coarse = math.floor(last * FINE_MS / COARSE_MS)
  if coarse ~= math.floor(now / COARSE_MS) then
    call('HSET', HISTORY_COARSE, coarse % COARSE_KEPT, sample_text(coarse, coarse_rows(coarse)))
  end
end
