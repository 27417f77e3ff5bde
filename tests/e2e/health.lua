-- What `:checkhealth agentos` says, and that the help file is found by its tags.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.lsp.enable('agentos')
  vim.cmd.edit('LICENSE')
  e2e.wait('the server', function() return vim.lsp.get_clients({ name = 'agentos', bufnr = 0 })[1] end)
  vim.g.agentos = { colour = 'green' }
  vim.cmd.checkhealth('agentos')
  seen.health = e2e.lines()
  vim.cmd.help(':AgentOS-merge')
  seen.help = vim.fn.expand('%:t')
end)
