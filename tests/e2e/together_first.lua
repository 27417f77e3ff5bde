-- Neovim beside VS Code on one daemon: it answers what VS Code's session asks, and is closed while the agent works.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.lsp.enable('agentos')
  vim.cmd.edit('LICENSE')
  local licence = vim.api.nvim_get_current_buf()
  e2e.wait('the server', function() return vim.lsp.get_clients({ name = 'agentos', bufnr = licence })[1] end)
  e2e.tell('neovim is there', 'yes')

  local session = e2e.hear('session')
  vim.cmd('AgentOS open ' .. session)
  e2e.answer(e2e.document('/session.md'), 'Approve once')
  e2e.status(session, 'running')
  seen.status = 'running'
end)
