-- What waits for a person, from the diagnostics that this Neovim already has: nothing is asked of the server.
local M = {}

---@class agentos.Waiting
---@field session string
---@field bufnr integer
---@field lnum integer Counted from zero
---@field message string

---Returns every approval that waits, in the order of their pages.
---@return agentos.Waiting[]
function M.waiting()
  local found = {}
  for _, one in ipairs(vim.diagnostic.get()) do
    if one.source == 'agentos' and one.code == 'approval' then
      local session = vim.api.nvim_buf_get_name(one.bufnr):match('^agentos://([^/]+)/session%.md$')
      if session then
        table.insert(found, { session = session, bufnr = one.bufnr, lnum = one.lnum, message = one.message })
      end
    end
  end
  table.sort(found, function(a, b)
    if a.session == b.session then
      return a.lnum < b.lnum
    end
    return a.session < b.session
  end)
  return found
end

---Returns a word for a status line: how many approvals wait, empty if none does.
---@return string
function M.text()
  local count = #M.waiting()
  return count == 0 and '' or ('agentos: %d waiting'):format(count)
end

---Puts what waits into the quickfix list and opens it; returns how much there is.
---@return integer
function M.quickfix()
  local items = vim.tbl_map(function(one)
    local first = vim.split(one.message, '\n', { plain = true })[1]
    return { bufnr = one.bufnr, lnum = one.lnum + 1, col = 1, type = 'W', text = ('%s: %s'):format(one.session, first) }
  end, M.waiting())
  vim.fn.setqflist({}, ' ', { title = 'What waits for you', items = items })
  if #items > 0 then
    vim.cmd.copen()
  end
  return #items
end

return M
