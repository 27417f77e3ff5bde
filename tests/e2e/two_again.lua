-- Opened after both editors were closed in the middle of a turn: the agent has gone on, and the page says so.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.cmd.edit(('agentos://%s/session.md'):format(vim.env.E2E_SESSION))
  local page = vim.api.nvim_get_current_buf()
  e2e.status(vim.env.E2E_SESSION, 'idle')
  e2e.wait('the page to say it', function() return vim.list_contains(e2e.lines(page), 'State: idle') end)
  seen.page = e2e.lines(page)
  vim.cmd('AgentOS trace')
  seen.trace = e2e.lines(e2e.document('/trace.md'))
  vim.cmd('AgentOS waiting')
  e2e.wait('the notice', function() return vim.list_contains(e2e.notices, 'Nothing waits for you.') end)
end)
