-- Starts a session, and closes the editor while the agent waits.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  local page, session = e2e.start('merge.yaml', 'Say who edited the licence')
  seen.session = session
  seen.approval = e2e.approval(page)
  seen.page = e2e.lines(page)
end)
