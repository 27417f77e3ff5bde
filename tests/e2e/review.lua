-- Reviews a change hunk by hunk on the person's own files: accept with undo, reject, ask, mark.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

local function hunks(buffer)
  return vim.tbl_map(
    function(found) return { lnum = found.lnum, code = found.code, severity = found.severity, message = found.message } end,
    vim.tbl_filter(
      function(found) return found.source == 'agentos' and (found.code == 'hunk' or found.code == 'file') end,
      vim.diagnostic.get(buffer)
    )
  )
end

---Chooses the code action whose title begins so, on a line of the current buffer.
local function choose(line, title)
  vim.api.nvim_win_set_cursor(0, { line + 1, 0 })
  local offered = {}
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      if not vim.list_contains(offered, action.title) then
        table.insert(offered, action.title)
      end
      return vim.startswith(action.title, title)
    end,
  })
  e2e.wait('the actions', function() return #offered > 0 end)
  return offered
end

e2e.run(function()
  vim.lsp.enable('agentos')
  vim.cmd.edit('LICENSE')
  local licence = vim.api.nvim_get_current_buf()
  e2e.wait('the server', function() return vim.lsp.get_clients({ name = 'agentos', bufnr = licence })[1] end)
  local _, session = e2e.start('review.yaml', 'Change the licence')
  seen.session = session
  vim.api.nvim_set_current_buf(licence)
  e2e.wait('two hunks', function() return #hunks(licence) == 2 end)

  -- The person types above the first hunk and does not save; both hunks move with their lines.
  vim.api.nvim_buf_set_lines(licence, 0, 0, false, { 'Typed, not saved.' })
  vim.o.undolevels = vim.o.undolevels -- what follows is undone by itself
  seen.moved = e2e.wait('the hunks to move', function()
    local found = hunks(licence)
    table.sort(found, function(one, other) return one.lnum < other.lnum end)
    return #found == 2 and found[1].lnum == 1 and found
  end)

  seen.offered = choose(1, 'Accept hunk')
  e2e.wait('the accepted hunk to be in the buffer', function() return e2e.lines(licence)[2]:find('edited by an agent') end)
  seen.accepted = { e2e.lines(licence)[1], e2e.lines(licence)[2] }
  seen.on_disk = vim.fn.readfile('LICENSE')[1]
  e2e.wait('its diagnostic to go', function() return #hunks(licence) == 1 end)
  vim.cmd.undo()
  seen.undone = e2e.lines(licence)[2]
  e2e.wait('its diagnostic to come back', function() return #hunks(licence) == 2 end)

  local last = seen.moved[2].lnum
  vim.ui.input = function(options, on_confirm)
    seen.asked = options.prompt
    on_confirm('Keep the wording.')
  end
  choose(last, 'Ask for a change')
  e2e.wait('the comment', function() return seen.asked end)
  e2e.status(session, 'idle')
  e2e.wait('the hunks again', function() return #hunks(licence) == 2 end)
  choose(last, 'Reject hunk')
  e2e.wait('the rejected hunk to go', function() return #hunks(licence) == 1 end)

  vim.cmd('AgentOS changes ' .. session)
  local changes = e2e.document('/changes.diff')
  seen.changes = e2e.lines(changes)
  local added = vim.fn.search('^+A note', 'cnw')
  seen.in_diff = choose(added - 1, 'Accept NOTES')
  seen.note = e2e.wait('the new file', function() return vim.fn.filereadable('NOTES') == 1 and vim.fn.readfile('NOTES')[1] end)

  vim.cmd('AgentOS trace ' .. session)
  local trace = e2e.document('/trace.md')
  e2e.wait('the end of the review in the trace', function()
    vim.cmd.edit()
    local count = 0
    for _, line in ipairs(e2e.lines(trace)) do
      count = count + (line:find('**review.accepted**', 1, true) and 1 or 0)
    end
    return count == 2
  end)
  seen.trace = e2e.lines(trace)
end)
