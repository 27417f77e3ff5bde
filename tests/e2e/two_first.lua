-- One of two editors on one daemon: starts the session, and answers the second question, while the other answers the first.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.cmd(('AgentOS start script=%s Say who edited the licence'):format(vim.fn.escape(vim.env.E2E_SCRIPT, ' \\')))
  local page = e2e.document('/session.md')
  local session = vim.api.nvim_buf_get_name(page):match('^agentos://([^/]+)/')
  seen.session = session
  seen.first = e2e.approval(page).message
  e2e.tell('session', session)

  -- Nobody answers here: it goes when the other editor has answered, and the next one comes.
  seen.second = e2e.wait('the second question', function()
    local message = e2e.approval(page).message
    return message ~= seen.first and message
  end)
  seen.status = require('agentos.status').text()
  vim.cmd('AgentOS waiting')
  seen.quickfix = vim.tbl_map(function(item)
    return { vim.api.nvim_buf_get_name(item.bufnr), item.text }
  end, vim.fn.getqflist())
  vim.cmd.cclose()
  e2e.hear('both see it')
  e2e.answer(page, 'Approve once')
  e2e.status(session, 'running')
  seen.status_after = require('agentos.status').text()
end)
