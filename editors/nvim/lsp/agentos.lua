-- How Neovim starts and talks to agentos-lsp. This file alone gives everything that the protocol itself carries;
-- the rest of the plugin adds the `agentos://` documents and the `:AgentOS` command.

---What a person may set in `vim.g.agentos`; what is missing has the default shown here.
---@class agentos.Options
---@field cmd? string[] How to start the server: `{ "agentos-lsp" }`, which connects to the daemon that editors share
---@field demo? boolean Start the server over a simulated repository, model and machine instead: false
---@field permissions? ("observe"|"steer"|"approve"|"merge")[] What this editor may do: all four
---@field trusted? boolean Whether what the repositories hold may be run; without it the server only lets one observe: true
---@field bell? boolean|"select" Say when an approval waits; with "select" ask at once by |vim.ui.select()|: true
---@field events? boolean Ask for `agentos/event` notifications, for other plugins: false

---@return agentos.Options
local function options()
  return vim.g.agentos or {}
end

---Whether `agentos://` documents can be read: by Neovim itself, or by the plugin's autocommand.
---@return boolean
local function has_documents()
  local native = vim.tbl_get(vim.lsp.protocol.make_client_capabilities(), 'workspace', 'textDocumentContent')
  return native ~= nil or #vim.api.nvim_get_autocmds({ event = 'BufReadCmd', pattern = 'agentos://*' }) > 0
end

---Asks for the words that go with an answer, then sends the answer as the server prepared it, to the command that it names.
---@param command lsp.Command
---@param ctx table
local function ask_comment(command, ctx)
  local client = assert(vim.lsp.get_client_by_id(ctx.client_id))
  vim.ui.input({ prompt = 'What should the agent know? ' }, function(comment)
    if comment then
      local answer = vim.tbl_extend('force', command.arguments[1], { comment = comment })
      local name = command.arguments[2] or 'agentos.approval.decide'
      client:exec_cmd({ title = command.title, command = name, arguments = { answer } })
    end
  end)
end

---Asks why a finding may pass, then waives it as the server prepared it.
---@param command lsp.Command
---@param ctx table
local function ask_reason(command, ctx)
  local client = assert(vim.lsp.get_client_by_id(ctx.client_id))
  vim.ui.input({ prompt = 'Why may it pass? ' }, function(reason)
    if reason and vim.trim(reason) ~= '' then
      local waiver = vim.tbl_extend('force', command.arguments[1], { reason = reason })
      client:exec_cmd({ title = command.title, command = 'agentos.finding.waive', arguments = { waiver } })
    end
  end)
end

---Says that something waits, and leaves the answer to the session's page: a list that pops up while a person types would
---take a key as the answer.
---@param err lsp.ResponseError?
---@param params lsp.ShowMessageRequestParams
---@param ctx lsp.HandlerContext
---@return any
local function ring(err, params, ctx)
  if options().bell == 'select' then
    return vim.lsp.handlers['window/showMessageRequest'](err, params, ctx)
  end
  local level = ({ vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO })[params.type]
  vim.notify(params.message, level or vim.log.levels.INFO, { title = 'agentos' })
  return vim.NIL
end

---Says what became of an answer that did not count: the request had changed, or somebody was faster.
---@param err lsp.ResponseError?
---@param result table?
local function on_answered(err, result)
  if err then
    local hint = vim.tbl_get(err, 'data', 'hint')
    local words = type(hint) == 'string' and ('%s %s'):format(err.message, hint) or err.message
    vim.notify(words, vim.log.levels.ERROR, { title = 'agentos' })
  elseif type(result) == 'table' and result.counted == false then
    vim.notify(result.message, vim.log.levels.WARN, { title = 'agentos' })
  end
end

---@type vim.lsp.Config
return {
  cmd = options().demo and { 'agentos-lsp', '--demo', '--stdio' } or options().cmd or { 'agentos-lsp' },
  root_markers = { '.git' },
  workspace_required = not options().demo,
  before_init = function(params)
    local chosen = options()
    params.initializationOptions = {
      permissions = chosen.permissions or { 'observe', 'steer', 'approve', 'merge' },
      trusted = chosen.trusted ~= false,
      virtualDocuments = has_documents(),
      events = chosen.events == true,
      askText = true,
      bell = chosen.bell ~= false,
    }
  end,
  commands = { ['agentos.client.askComment'] = ask_comment, ['agentos.client.askReason'] = ask_reason },
  handlers = { ['window/showMessageRequest'] = ring, ['workspace/executeCommand'] = on_answered },
}
