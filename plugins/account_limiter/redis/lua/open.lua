-- Ends the wait for earlier holders.
transition('open', function()
  change_meta({ closed_until = 0, quiet_until = 0 })
  closed_until = 0
  grant_all()
  return 1
end)
