-- The connection to the server: finds the one that is up, or starts it.
local M = {}

---@param message string
---@param level? integer
function M.say(message, level)
  vim.notify(message, level or vim.log.levels.INFO, { title = 'agentos' })
end

---Returns an error of the server with what to do about it.
---@param err lsp.ResponseError
---@return string
local function words(err)
  local hint = vim.tbl_get(err, 'data', 'hint')
  return type(hint) == 'string' and ('%s %s'):format(err.message, hint) or err.message
end

---Returns the client of the current buffer's repository, any other that is up, or a new one for where the editor stands.
---@return vim.lsp.Client?
function M.get()
  local client = vim.lsp.get_clients({ name = 'agentos', bufnr = 0 })[1] or vim.lsp.get_clients({ name = 'agentos' })[1]
  if not client then
    client = M.start()
  end
  if client and not vim.wait(30000, function() return client.initialized or client:is_stopped() end, 10) then
    M.say('The server did not answer within 30 s; see :checkhealth agentos.', vim.log.levels.ERROR)
    return nil
  end
  return client
end

---@return vim.lsp.Client?
function M.start()
  local config = assert(vim.lsp.config.agentos, 'agentos: lsp/agentos.lua is not on the runtimepath')
  local program = type(config.cmd) == 'table' and config.cmd[1] or nil
  if program and vim.fn.executable(program) == 0 then
    M.say(('"%s" is not executable; install agentos-lsp, or set vim.g.agentos.cmd.'):format(program), vim.log.levels.ERROR)
    return nil
  end
  local root = vim.fs.root(0, '.git') or vim.fs.root(vim.fn.getcwd(), '.git')
  if config.workspace_required == false then
    root = root or vim.fn.getcwd()
  end
  if not root then
    M.say('There is no git repository here; open a file of one, or :cd into it.', vim.log.levels.ERROR)
    return nil
  end
  local id = vim.lsp.start(vim.tbl_extend('force', config, { name = 'agentos', root_dir = root }), { attach = false })
  return id and vim.lsp.get_client_by_id(id)
end

---Sends one of the server's commands. Its error is shown; its result, if it has one, goes to `on_result`.
---@param command string
---@param argument table
---@param on_result? fun(result: table)
function M.execute(command, argument, on_result)
  local client = M.get()
  if not client then
    return
  end
  local params = { command = command, arguments = { next(argument) and argument or vim.empty_dict() } }
  client:request('workspace/executeCommand', params, function(err, result)
    if err then
      M.say(words(err), vim.log.levels.ERROR)
    elseif on_result then
      on_result(result)
    end
  end)
end

---@class agentos.Session
---@field session string
---@field task string
---@field status string
---@field waiting integer

---Returns the sessions that the server knows; nil if it cannot be asked, which is said.
---@return agentos.Session[]?
function M.sessions()
  local client = M.get()
  if not client then
    return nil
  end
  local params = { command = 'agentos.session.list', arguments = { vim.empty_dict() } }
  local answer, failure = client:request_sync('workspace/executeCommand', params, 10000)
  if answer and answer.result then
    return answer.result.sessions
  end
  M.say(answer and answer.err and words(answer.err) or ('The sessions are not known: %s.'):format(failure), vim.log.levels.ERROR)
end

---Reads files again that a merge may have changed. Buffer by buffer: `:checktime` for all is put off while keys are pending.
function M.look_again()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.bo[buffer].buftype == '' then
      vim.cmd.checktime(buffer)
    end
  end
end

return M
