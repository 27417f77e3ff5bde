-- The other of two editors on one daemon: finds the session that the first one started, and answers its first question.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  local session = e2e.hear('session')
  vim.ui.select = function(items, options, choose)
    seen.picked = seen.picked or {}
    table.insert(seen.picked, options.format_item(items[1]))
    choose(items[1], 1)
  end
  vim.cmd('AgentOS pick')
  local page = e2e.document('/session.md')
  seen.first = e2e.approval(page).message
  vim.api.nvim_win_set_cursor(0, { e2e.approval(page).lnum + 1, 0 })
  vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.title == 'Approve once' end })
  seen.second = e2e.wait('the second question', function()
    local message = e2e.approval(page).message
    return message ~= seen.first and message
  end)
  e2e.tell('both see it', session)
  e2e.wait('the answer of the other editor', function() return #require('agentos.status').waiting() == 0 end)
  e2e.status(session, 'running')
end)
