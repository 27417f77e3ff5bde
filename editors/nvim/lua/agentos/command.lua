-- `:AgentOS`: what is not a code action. Each subcommand translates its words into one command of the server.
local client = require('agentos.client')

---@class agentos.Subcommand
---@field run fun(words: string[])
---@field complete? fun(before: string[]): string[] The words that may follow those before
---@type table<string, agentos.Subcommand>
local subcommands = {}

local OPTIONS = { 'agent', 'model', 'script' }
local DOCUMENTS = { 'page', 'changes', 'trace', 'overview' }
local STRATEGIES = { 'fast-forward', 'merge', 'squash' }

---@return string[]
local function names()
  return vim.tbl_map(function(session) return session.session end, client.sessions())
end

---The session whose document is shown.
---@return string?
local function current()
  return vim.api.nvim_buf_get_name(0):match('^agentos://([^/]+)/')
end

---Takes the session off the front of the words: the one named there, else the one shown, else the one that is picked.
---@param words string[]
---@param act fun(session: string, rest: string[])
local function with_session(words, act)
  local sessions = client.sessions()
  local named = vim.iter(sessions):find(function(session) return session.session == words[1] end)
  if named then
    return act(named.session, vim.list_slice(words, 2))
  elseif current() then
    return act(assert(current()), words)
  elseif #sessions == 0 then
    return client.say('There is no session; begin one with :AgentOS start.', vim.log.levels.WARN)
  end
  vim.ui.select(sessions, {
    prompt = 'Session',
    kind = 'agentos_session',
    format_item = function(session) return ('%s [%s] %s'):format(session.session, session.status, session.task) end,
  }, function(chosen)
    if chosen then
      act(chosen.session, words)
    end
  end)
end

---@param document string
---@param session? string
local function open(document, session)
  client.execute('agentos.session.open', { session = session, document = document })
end

---@param prompt string
---@param words string[]
---@param act fun(text: string)
local function with_text(prompt, words, act)
  if #words > 0 then
    return act(table.concat(words, ' '))
  end
  vim.ui.input({ prompt = prompt }, function(text)
    if text and text ~= '' then
      act(text)
    end
  end)
end

subcommands.start = {
  complete = function(before)
    return #before == 0 and vim.tbl_map(function(name) return name .. '=' end, OPTIONS) or {}
  end,
  run = function(words)
    local argument = {}
    while words[1] and vim.list_contains(OPTIONS, words[1]:match('^(%w+)=')) do
      local name, value = words[1]:match('^(%w+)=(.*)$')
      argument[name] = name == 'script' and vim.fn.fnamemodify(vim.fn.expand(value), ':p') or value
      words = vim.list_slice(words, 2)
    end
    with_text('What should the agent do? ', words, function(task)
      argument.task = task
      argument.workspace = vim.uri_from_fname(vim.fs.root(0, '.git') or vim.fn.getcwd())
      client.execute('agentos.session.start', argument, function(result) open('page', result.session) end)
    end)
  end,
}

subcommands.list = {
  run = function() open('overview') end,
}

subcommands.open = {
  complete = function(before)
    return #before == 0 and vim.list_extend(names(), DOCUMENTS) or #before == 1 and DOCUMENTS or {}
  end,
  run = function(words)
    if words[1] == 'overview' then
      return open('overview')
    end
    with_session(words, function(session, rest) open(rest[1] or 'page', session) end)
  end,
}

subcommands.prompt = {
  complete = function(before) return #before == 0 and names() or {} end,
  run = function(words)
    with_session(words, function(session, rest)
      with_text('Prompt: ', rest, function(text)
        client.execute('agentos.session.prompt', { session = session, text = text })
      end)
    end)
  end,
}

---@param command string
---@return agentos.Subcommand
local function on_session(command)
  return {
    complete = function(before) return #before == 0 and names() or {} end,
    run = function(words)
      with_session(words, function(session) client.execute(command, { session = session }) end)
    end,
  }
end

subcommands.pause = on_session('agentos.session.pause')
subcommands.resume = on_session('agentos.session.resume')
subcommands.stop = on_session('agentos.session.stop')

subcommands.merge = {
  complete = function(before)
    return #before == 0 and vim.list_extend(names(), STRATEGIES) or #before == 1 and STRATEGIES or {}
  end,
  run = function(words)
    with_session(words, function(session, rest)
      client.execute('agentos.session.merge', { session = session, strategy = rest[1] }, function(result)
        if result.merged then
          client.say(('Merged %d files into %s.'):format(#result.files, result.into))
          client.look_again()
        else
          client.say(table.concat({ result.message, unpack(result.paths) }, '\n'), vim.log.levels.WARN)
        end
      end)
    end)
  end,
}

subcommands.discard = {
  complete = function(before) return #before == 0 and names() or {} end,
  run = function(words)
    with_session(words, function(session)
      -- Without `confirm` the server only says what would be lost.
      client.execute('agentos.session.discard', { session = session }, function(loss)
        local lines = { ('Discard %s? What would be lost:'):format(session) }
        vim.list_extend(lines, vim.tbl_map(function(commit) return 'commit ' .. commit end, loss.commits))
        vim.list_extend(lines, vim.tbl_map(function(path) return 'uncommitted: ' .. path end, loss.uncommitted))
        if #lines == 1 then
          lines[1] = ('Discard %s? Nothing would be lost.'):format(session)
        end
        local ask = { prompt = table.concat(lines, '\n'), kind = 'agentos_discard' }
        vim.ui.select({ 'Keep it', 'Discard it' }, ask, function(_, choice)
          if choice == 2 then
            client.execute('agentos.session.discard', { session = session, confirm = true })
          end
        end)
      end)
    end)
  end,
}

---@param document string
---@return agentos.Subcommand
local function on_document(document)
  return {
    complete = function(before) return #before == 0 and names() or {} end,
    run = function(words)
      with_session(words, function(session) open(document, session) end)
    end,
  }
end

subcommands.changes = on_document('changes')
subcommands.trace = on_document('trace')

subcommands.check = {
  run = function(words)
    with_text('Command line: ', words, function(line)
      client.execute('agentos.command.check', { line = line, session = current() }, function(result)
        local lines = { result.verdict .. ': ' .. line }
        for _, part in ipairs(result.parts) do
          table.insert(lines, ('  %s: %s'):format(part.verdict, part.text))
          vim.list_extend(lines, vim.tbl_map(function(reason) return '    ' .. reason end, part.reasons))
        end
        client.say(table.concat(lines, '\n'))
      end)
    end)
  end,
}

local M = {}

---Runs `:AgentOS`. `check` takes the rest of the line as it was written, with its quotes and spaces.
---@param arguments vim.api.keyset.create_user_command.command_args
function M.run(arguments)
  local name = arguments.fargs[1]
  local subcommand = subcommands[name]
  if not subcommand then
    return client.say(('":AgentOS %s" does not exist; see :help :AgentOS.'):format(name), vim.log.levels.ERROR)
  end
  local line = arguments.args:match('^%S+%s+(.+)$')
  subcommand.run(name == 'check' and { line } or vim.list_slice(arguments.fargs, 2))
end

---@param lead string
---@param line string
---@param position integer
---@return string[]
function M.complete(lead, line, position)
  local words = vim.split(line:sub(1, position - #lead), '%s+', { trimempty = true })
  local candidates = {}
  if #words == 1 then
    candidates = vim.tbl_keys(subcommands)
    table.sort(candidates)
  else
    local subcommand = subcommands[words[2]]
    candidates = subcommand and subcommand.complete and subcommand.complete(vim.list_slice(words, 3)) or {}
  end
  return vim.tbl_filter(function(candidate) return vim.startswith(candidate, lead) end, candidates)
end

return M
