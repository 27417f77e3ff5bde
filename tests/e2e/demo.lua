-- The demo in Neovim, in a folder that is no repository: approve, look at the models, choose one, merge.
vim.g.agentos = { demo = true }
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.cmd('AgentOS start Mend the calculator')
  local page = e2e.document('/session.md')
  seen.session = vim.api.nvim_buf_get_name(page):match('^agentos://([^/]+)/')
  seen.page = e2e.lines(page)[1]
  e2e.answer(page, 'Approve this line for this session')
  e2e.status(seen.session, 'idle')

  vim.cmd('AgentOS changes')
  seen.diff = e2e.lines(e2e.document('/changes.diff'))
  vim.cmd('AgentOS model ' .. seen.session .. ' cramped')
  e2e.wait('the model', function()
    return vim.iter(e2e.notices):any(function(said) return said:find('asks cramped', 1, true) ~= nil end)
  end)
  vim.cmd('AgentOS providers')
  local panel = e2e.document('agentos://providers.md')
  e2e.wait('the models', function() return #e2e.lines(panel) > 10 end)
  seen.providers = e2e.lines(panel)[1]
  seen.models = vim.tbl_filter(function(line) return vim.startswith(line, '## ') end, e2e.lines(panel))
  vim.cmd('AgentOS merge ' .. seen.session)
  e2e.status(seen.session, 'merged')
  e2e.wait('the merge', function()
    return vim.iter(e2e.notices):any(function(said) return vim.startswith(said, 'Merged ') end)
  end)
end)
