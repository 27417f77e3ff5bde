-- Start, approve, look and merge, as a person would: `:AgentOS`, code actions and documents.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.lsp.enable('agentos')
  vim.cmd.edit('LICENSE')
  local licence = vim.api.nvim_get_current_buf()
  e2e.wait('the server', function() return vim.lsp.get_clients({ name = 'agentos', bufnr = licence })[1] end)

  local page, session = e2e.start('merge.yaml', 'Say who edited the licence')
  seen.session = session
  seen.page_options = { vim.bo.buftype, vim.bo.filetype, vim.bo.modifiable, vim.bo.modified, vim.bo.swapfile }

  seen.approval = e2e.approval(page)
  seen.lens = e2e.wait('a code lens', function()
    local lenses = vim.lsp.codelens.get({ bufnr = page })
    return #lenses > 0 and lenses
  end)
  seen.lens = vim.tbl_map(function(lens) return (lens.lens or lens).command.title end, seen.lens)
  seen.completed = {
    subcommands = vim.fn.getcompletion('AgentOS ', 'cmdline'),
    sessions = vim.fn.getcompletion('AgentOS pause ', 'cmdline'),
    documents = vim.fn.getcompletion('AgentOS open ' .. session .. ' ', 'cmdline'),
  }
  local _, offered = e2e.answer(page, 'Approve once')
  seen.offered = offered
  e2e.status(session, 'idle')

  vim.cmd('AgentOS changes')
  local changes = e2e.document('/changes.diff')
  seen.changes = { filetype = vim.bo.filetype, lines = e2e.lines(changes) }
  local added = vim.fn.search('^+MIT License', 'cnw') - 1
  local word = e2e.wait('the words that differ to be marked', function()
    return (vim.lsp.semantic_tokens.get_at_pos(changes, added, 15) or {})[1]
  end)
  seen.word = { word.type, e2e.lines(changes)[added + 1]:sub(word.start_col + 1, word.end_col) }
  seen.marked = e2e.wait('the mark', function()
    local marks = vim.inspect_pos(changes, added, 15).semantic_tokens
    return #marks > 0 and marks[1].opts.hl_group_link
  end)
  seen.unmarked = vim.inspect_pos(changes, added, 2).semantic_tokens
  vim.cmd.edit(('agentos://%s/base/LICENSE'):format(session))
  seen.base = e2e.lines()[1]
  vim.cmd('AgentOS trace')
  seen.trace = e2e.lines(e2e.document('/trace.md'))
  seen.before_merge = e2e.lines(licence)[1]

  vim.cmd('AgentOS merge ' .. session)
  e2e.status(session, 'merged')
  seen.after_merge = e2e.wait('the open buffer to be read again', function()
    local first = e2e.lines(licence)[1]
    return first ~= seen.before_merge and first
  end)
  e2e.wait('the page to say it', function() return vim.list_contains(e2e.lines(page), 'State: merged') end)

  -- A name that is none means no session, not the one that is shown.
  vim.api.nvim_set_current_buf(page)
  vim.cmd('AgentOS undo nobody-1')
  seen.refused = e2e.notices[#e2e.notices]
end)
