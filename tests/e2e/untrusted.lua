-- An editor that does not trust the workspace: it may look, and nothing else.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.g.agentos = { trusted = false }
  vim.cmd('AgentOS list')
  seen.overview = e2e.lines(e2e.document('sessions.md'))
  vim.cmd('AgentOS start Do something')
  e2e.wait('the refusal', function() return #e2e.notices > 0 end)
  seen.sessions = require('agentos.client').sessions()
end)
