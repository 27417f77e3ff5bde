-- Merges where an untrusted policy wants a check to pass: its line is shown first, and runs only if the person says so.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  vim.lsp.enable('agentos')
  vim.cmd.edit('LICENSE')
  local page, session = e2e.start('merge.yaml', 'Say who edited the licence')
  e2e.answer(page, 'Approve once')
  -- The commit asks for the same check, on its own files.
  e2e.answer(page, 'Approve once')
  e2e.status(session, 'idle')
  -- The branch moves on, so a merge makes files that nothing has passed on.
  local git = { 'git', 'commit', '--quiet', '--allow-empty', '--message=meanwhile', '--include', 'README.md' }
  vim.fn.writefile({ 'Meanwhile.' }, 'README.md')
  assert(vim.system(git):wait().code == 0)

  local answer = 1
  vim.ui.select = function(items, options, choose)
    seen.asked = options.prompt
    seen.offered = items
    choose(items[answer], answer)
  end
  vim.cmd('AgentOS preview ' .. session)
  e2e.wait('the preview', function()
    return vim.iter(e2e.notices):find(function(notice) return notice:find('check: ask: ', 1, true) end)
  end)
  vim.cmd('AgentOS merge ' .. session)
  e2e.wait('the question', function() return seen.asked end)
  e2e.status(session, 'idle')
  -- What was made by hand in the worktree is committed first.
  local worktree = vim.iter(e2e.lines(page)):find(function(line) return line:find('^Worktree: ') end):gsub('^Worktree: ', '')
  vim.fn.writefile({ 'By hand.' }, worktree .. '/by-hand.txt')
  local first = vim.ui.select
  vim.ui.select = function(items, options, choose)
    seen.uncommitted = { options.prompt, items[2] }
    vim.ui.select = first
    choose(items[2], 2)
  end
  answer, seen.asked = 2, nil
  vim.cmd('AgentOS merge ' .. session)
  e2e.status(session, 'merged')
  -- It is refused as long as the worktree is being removed.
  local function undone()
    return vim.iter(require('agentos.client').sessions()):any(function(one) return one.status == 'undone' end)
  end
  for _ = 1, 50 do
    vim.cmd('AgentOS undo ' .. session)
    if vim.wait(1000, undone, 100) then
      break
    end
  end
  e2e.status(session, 'undone')
  vim.cmd('AgentOS trace ' .. session)
  seen.trace = e2e.lines(e2e.document('/trace.md'))
end)
