-- Opens the page of a session that an earlier editor left waiting, lets it go on, and answers it.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.cmd('AgentOS list')
  seen.overview = e2e.lines(e2e.document('sessions.md'))
  vim.cmd.edit(('agentos://%s/session.md'):format(vim.env.E2E_SESSION))
  local page = vim.api.nvim_get_current_buf()
  seen.page = e2e.lines(page)

  vim.cmd('AgentOS resume')
  seen.approval = e2e.approval(page)
  e2e.answer(page, 'Approve once')
  e2e.status(vim.env.E2E_SESSION, 'idle')
end)
