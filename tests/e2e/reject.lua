-- Rejects with a comment, asks what the gate would say, and discards.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  local page, session = e2e.start('reject.yaml', 'Print something')

  vim.ui.input = function(options, answer)
    seen.asked = options.prompt
    answer('Read the licence instead')
  end
  e2e.answer(page, 'Reject with a comment')
  e2e.status(session, 'idle')
  vim.cmd('AgentOS trace')
  seen.trace = e2e.lines(e2e.document('/trace.md'))

  vim.cmd([[AgentOS check rm -rf "/a  b"]])
  vim.cmd('AgentOS no-such-thing')

  vim.ui.select = function(items, options, choose)
    seen.discard = options.prompt
    choose(items[2], 2)
  end
  vim.cmd('AgentOS discard ' .. session)
  e2e.status(session, 'discarded')
end)
