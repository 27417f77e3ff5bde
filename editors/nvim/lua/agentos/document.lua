-- The `agentos://` documents, for a Neovim that does not read `workspace/textDocumentContent` by itself.
local connection = require('agentos.client')

local M = {}

local METHOD = 'workspace/textDocumentContent'

---How often each buffer was asked for, so that a late answer never replaces a newer one.
---@type table<integer, integer>
local asked = {}

---Replaces only the lines that differ: cursors, folds and marks elsewhere stay where they are.
---@param buffer integer
---@param text string
local function fill(buffer, text)
  local new = vim.split(text, '\n', { plain = true })
  if #new > 1 and new[#new] == '' then
    table.remove(new)
  end
  local old = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
  local head = 0
  while head < math.min(#old, #new) and old[head + 1] == new[head + 1] do
    head = head + 1
  end
  local tail = 0
  while tail < math.min(#old, #new) - head and old[#old - tail] == new[#new - tail] do
    tail = tail + 1
  end
  if head == #old and head == #new then
    return
  end
  local views = {}
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    views[window] = vim.api.nvim_win_call(window, vim.fn.winsaveview)
  end
  vim.bo[buffer].modifiable = true
  vim.api.nvim_buf_set_lines(buffer, head, #old - tail, false, vim.list_slice(new, head + 1, #new - tail))
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].modified = false
  for window, view in pairs(views) do
    vim.api.nvim_win_call(window, function() vim.fn.winrestview(view) end)
  end
end

---@param client vim.lsp.Client
---@param buffer integer
local function attach(client, buffer)
  if not vim.lsp.buf_is_attached(buffer, client.id) then
    vim.lsp.buf_attach_client(buffer, client.id)
    vim.lsp.codelens.enable(true, { bufnr = buffer })
  end
end

---Reads a document into its new buffer. Synchronous, as whoever opened it sets the cursor right after.
---@param buffer integer
---@param uri string
function M.read(buffer, uri)
  local options = vim.bo[buffer]
  options.buftype, options.bufhidden, options.swapfile, options.undolevels = 'nofile', 'hide', false, -1
  local client = connection.get()
  local answer, failure
  if client then
    answer, failure = client:request_sync(METHOD, { uri = uri }, 5000, buffer)
  end
  local err = vim.tbl_get(answer or {}, 'err', 'message') or failure
  if err then
    connection.say(err, vim.log.levels.ERROR)
  end
  fill(buffer, vim.tbl_get(answer or {}, 'result', 'text') or err or 'The server is not running.')
  options.modifiable, options.readonly, options.modified = false, true, false
  options.filetype = vim.filetype.match({ buf = buffer, filename = uri:gsub('^agentos://', '/') }) or ''
  if client then
    attach(client, buffer)
  end
end

---Asks for a loaded document again.
---@param client vim.lsp.Client
---@param buffer integer
function M.reload(client, buffer)
  local number = (asked[buffer] or 0) + 1
  asked[buffer] = number
  client:request(METHOD, { uri = vim.api.nvim_buf_get_name(buffer) }, function(err, result)
    if not err and asked[buffer] == number and vim.api.nvim_buf_is_loaded(buffer) then
      fill(buffer, result.text)
    end
  end, buffer)
end

---@return integer[] buffers The loaded documents; others are read when they are entered.
local function loaded()
  return vim.tbl_filter(function(buffer)
    return vim.api.nvim_buf_is_loaded(buffer) and vim.startswith(vim.api.nvim_buf_get_name(buffer), 'agentos://')
  end, vim.api.nvim_list_bufs())
end

---Answers `workspace/textDocumentContent/refresh`. What changed may be a merge, so files are looked at again too.
---@param params { uri: string }
---@param ctx lsp.HandlerContext
---@return vim.NIL
function M.refresh(_, params, ctx)
  local client = assert(vim.lsp.get_client_by_id(ctx.client_id))
  for _, buffer in ipairs(loaded()) do
    if vim.api.nvim_buf_get_name(buffer) == params.uri then
      M.reload(client, buffer)
    end
  end
  vim.schedule(connection.look_again)
  return vim.NIL
end

---Takes up the documents that a server which ended has left behind.
---@param client vim.lsp.Client
function M.adopt(client)
  for _, buffer in ipairs(loaded()) do
    if not next(vim.lsp.get_clients({ name = 'agentos', bufnr = buffer })) then
      attach(client, buffer)
      M.reload(client, buffer)
    end
  end
end

return M
