-- Runs one scenario inside a real Neovim and writes what it saw as JSON to $E2E_REPORT; the Python side compares.
local M = {}

---What the scenario saw, in its own words.
M.seen = {}

---What the person was told.
M.notices = {}

if vim.env.E2E_ALONE then
  vim.g.agentos = { cmd = { 'agentos-lsp', '--stdio' } }
end

local progress = {}

vim.notify = function(message) table.insert(M.notices, message) end

---A question that no scenario answers must not wait for a person who is not there.
vim.ui.select = function(_, options) error('nobody answers: ' .. tostring(options.prompt)) end
vim.ui.input = function(options) error('nobody answers: ' .. tostring(options.prompt)) end

vim.api.nvim_create_autocmd('LspProgress', {
  callback = function() table.insert(progress, vim.lsp.status()) end,
})

---Returns the first value of `condition` that is not false; fails after half a minute, or what a scenario says.
function M.wait(what, condition)
  local value
  if not vim.wait(tonumber(vim.env.E2E_PATIENCE_MS) or 30000, function()
    value = condition()
    return value
  end, 20) then
    error('waited in vain for ' .. what, 2)
  end
  return value
end

function M.lines(buffer) return vim.api.nvim_buf_get_lines(buffer or 0, 0, -1, false) end

function M.client() return vim.lsp.get_clients({ name = 'agentos' })[1] end

---Waits until the current buffer is a document whose name ends so, and returns its buffer.
function M.document(ending)
  M.wait('the document ' .. ending, function() return vim.endswith(vim.api.nvim_buf_get_name(0), ending) end)
  return vim.api.nvim_get_current_buf()
end

---Waits for the diagnostic of an approval in a page, and returns it with the line that it stands on.
function M.approval(page)
  return M.wait('an approval', function()
    for _, found in ipairs(vim.diagnostic.get(page)) do
      local line = M.lines(page)[found.lnum + 1]
      if found.source == 'agentos' and found.code == 'approval' and line and line:find('^%- %[') then
        return { message = found.message, lnum = found.lnum, line = line, severity = found.severity }
      end
    end
  end)
end

---Answers the approval on a page through the code action with that title.
function M.answer(page, title)
  local approval = M.approval(page)
  vim.api.nvim_set_current_buf(page)
  vim.api.nvim_win_set_cursor(0, { approval.lnum + 1, 0 })
  local offered
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      offered = offered or {}
      if not vim.list_contains(offered, action.title) then
        table.insert(offered, action.title)
      end
      return action.title == title
    end,
  })
  M.wait('the approval to be gone', function() return #vim.diagnostic.get(page) == 0 end)
  return approval, offered
end

---Says something to the other editors of a test.
function M.tell(what, words)
  vim.fn.writefile({ words }, ('%s/%s.part'):format(vim.env.E2E_SHARED, what))
  assert(vim.uv.fs_rename(('%s/%s.part'):format(vim.env.E2E_SHARED, what), ('%s/%s'):format(vim.env.E2E_SHARED, what)))
end

---Waits until another editor has said it, and returns its words.
function M.hear(what)
  local file = ('%s/%s'):format(vim.env.E2E_SHARED, what)
  return M.wait(what, function() return vim.uv.fs_stat(file) and vim.fn.readfile(file)[1] end)
end

---Waits until a session has a status, by asking the server.
function M.status(session, wanted)
  local found
  for _ = 1, 300 do
    for _, one in ipairs(require('agentos.client').sessions() or {}) do
      found = one.session == session and one.status or found
    end
    if found == wanted then
      return
    end
    vim.wait(100)
  end
  error(('%s is %s, not %s'):format(session, found, wanted), 2)
end

---Starts a session that plays a script of this folder, and returns its page and its name.
function M.start(script, task)
  vim.cmd(('AgentOS start script=%s/%s %s'):format(vim.fn.escape(vim.env.E2E, ' \\'), script, task))
  local page = M.document('/session.md')
  return page, vim.api.nvim_buf_get_name(page):match('^agentos://([^/]+)/')
end

function M.run(scenario)
  vim.schedule(function()
    local ok, failure = xpcall(scenario, debug.traceback)
    local report = {
      seen = next(M.seen) and M.seen or vim.empty_dict(),
      notices = M.notices,
      progress = progress,
      failure = not ok and failure or nil,
      screen = M.lines(),
      messages = vim.fn.execute('messages'),
    }
    vim.fn.writefile({ vim.json.encode(report) }, vim.env.E2E_REPORT)
    vim.cmd.qall({ bang = true })
  end)
end

return M
