-- Neovim beside VS Code on one daemon: it answers what VS Code's session asks, and sees what VS Code merges.
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
  local page = e2e.document('/session.md')
  seen.approval = e2e.approval(page).message
  e2e.hear('code sees it')
  e2e.answer(page, 'Approve once')

  seen.before = e2e.lines(licence)[1]
  seen.after = e2e.wait('the open buffer to show the merged text', function()
    local first = e2e.lines(licence)[1]
    return first ~= seen.before and first
  end)
  e2e.wait('the page to say it', function() return vim.list_contains(e2e.lines(page), 'State: merged') end)
end)
