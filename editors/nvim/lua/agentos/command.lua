-- `:AgentOS`: what is not a code action. Each subcommand translates its words into one command of the server.
local client = require('agentos.client')
local ending = require('agentos.ending')

---@class agentos.Subcommand
---@field run fun(words: string[])
---@field complete? fun(before: string[]): string[] The words that may follow those before
---@type table<string, agentos.Subcommand>
local subcommands = {}

local OPTIONS = { 'agent', 'model', 'n', 'script' }
local DOCUMENTS = { 'page', 'changes', 'trace', 'overview' }
local STRATEGIES = { 'fast-forward', 'merge', 'rebase', 'squash' }

---@return string[]
local function names()
  return vim.tbl_map(function(session) return session.session end, client.sessions() or {})
end

---The session whose document is shown.
---@return string?
local function current()
  return vim.api.nvim_buf_get_name(0):match('^agentos://([^/]+)/')
end

---Lets a person pick a session; those that wait come first.
---@param sessions agentos.Session[]
---@param act fun(session: string)
local function pick(sessions, act)
  if #sessions == 0 then
    return client.say('There is no session; begin one with :AgentOS start.', vim.log.levels.WARN)
  end
  local order = vim.list_slice(sessions)
  table.sort(order, function(a, b)
    if (a.waiting > 0) ~= (b.waiting > 0) then
      return a.waiting > 0
    end
    return a.session < b.session
  end)
  vim.ui.select(order, {
    prompt = 'Session',
    kind = 'agentos_session',
    format_item = function(session) return ('%s [%s] %s'):format(session.session, session.status, session.task) end,
  }, function(chosen)
    if chosen then
      act(chosen.session)
    end
  end)
end

---Takes the session off the front of the words: the one named there, else the one shown, else the one that is picked.
---@param words string[]
---@param act fun(session: string, rest: string[])
---@param fits? fun(word: string): any Whether a word that names no session may follow one; without it, any may
local function with_session(words, act, fits)
  local sessions = client.sessions()
  if not sessions then
    return
  end
  local named = vim.iter(sessions):find(function(session) return session.session == words[1] end)
  if named then
    return act(named.session, vim.list_slice(words, 2))
  elseif fits and words[1] and not fits(words[1]) then
    return client.say(('There is no session "%s".'):format(words[1]), vim.log.levels.ERROR)
  elseif current() then
    return act(assert(current()), words)
  end
  pick(sessions, function(session) act(session, words) end)
end

---A subcommand on a session, which may be named first.
---@param act fun(session: string, rest: string[])
---@param fits? fun(word: string): any As `with_session` takes it
---@return agentos.Subcommand
local function on_session(act, fits)
  return {
    complete = function(before) return #before == 0 and names() or {} end,
    run = function(words) with_session(words, act, fits) end,
  }
end

---Nothing follows the session.
---@return boolean
local function nothing() return false end

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
      argument[name] = name == 'script' and vim.fn.fnamemodify(vim.fn.expand(value), ':p') or name == 'n' and tonumber(value) or value
      words = vim.list_slice(words, 2)
    end
    with_text('What should the agent do? ', words, function(task)
      argument.task = task
      argument.workspace = vim.uri_from_fname(vim.fs.root(0, '.git') or vim.fn.getcwd())
      client.execute('agentos.session.start', argument, function(result)
        if result.sessions then
          vim.cmd.edit(vim.fn.fnameescape(result.page))
        else
          open('page', result.session)
        end
      end)
    end)
  end,
}

subcommands.waiting = {
  run = function()
    if client.get() and require('agentos.status').quickfix() == 0 then
      client.say('Nothing waits for you.')
    end
  end,
}

---What can be done with a session that was picked; each is a subcommand.
---@type { [1]: string, [2]: string }[]
local ACTIONS = {
  { 'Open its page', 'open' },
  { 'Show its changes', 'changes' },
  { 'Show its trace', 'trace' },
  { 'Say something to the agent', 'prompt' },
  { 'Pause', 'pause' },
  { 'Resume', 'resume' },
  { 'Stop', 'stop' },
  { 'Merge', 'merge' },
  { 'Discard', 'discard' },
}

subcommands.pick = {
  run = function()
    local sessions = client.sessions()
    if not sessions then
      return
    end
    pick(sessions, function(session)
      local ask = { prompt = session, kind = 'agentos_action', format_item = function(action) return action[1] end }
      vim.ui.select(ACTIONS, ask, function(action)
        if action then
          subcommands[action[2]].run({ session })
        end
      end)
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

subcommands.prompt = on_session(function(session, rest)
  with_text('Prompt: ', rest, function(text)
    client.execute('agentos.session.prompt', { session = session, text = text })
  end)
end)

subcommands.model = on_session(function(session, rest)
  with_text('Model: ', rest, function(model)
    client.execute('agentos.session.model', { session = session, model = model }, function(result)
      client.say(('%s asks %s from its next turn on.'):format(result.session, result.model))
    end)
  end)
end)

subcommands.providers = {
  run = function(words)
    client.say('Looking at the language models…')
    client.execute('agentos.provider.diagnose', { provider = words[1] }, function(result)
      vim.cmd.edit(vim.fn.fnameescape(result.document))
    end)
  end,
}

---@param command string
---@return agentos.Subcommand
local function by_command(command)
  return on_session(function(session) client.execute(command, { session = session }) end, nothing)
end

subcommands.pause = by_command('agentos.session.pause')
subcommands.resume = by_command('agentos.session.resume')
subcommands.stop = by_command('agentos.session.stop')

---Calls back with the number that was named, else with the one that is picked.
---@param session string
---@param words string[]
---@param act fun(number: integer)
local function with_checkpoint(session, words, act)
  if tonumber(words[1]) then
    return act(assert(tonumber(words[1])))
  end
  client.execute('agentos.checkpoint.list', { session = session }, function(result)
    local rows = { { checkpoint = 0, note = 'the beginning', at = '', occasion = '' }, unpack(result.checkpoints) }
    vim.ui.select(vim.iter(rows):rev():totable(), {
      prompt = 'Checkpoint',
      kind = 'agentos_checkpoint',
      format_item = function(row) return vim.trim(('%d %s %s %s'):format(row.checkpoint, row.at, row.occasion, row.note)) end,
    }, function(chosen)
      if chosen then
        act(chosen.checkpoint)
      end
    end)
  end)
end

subcommands.checkpoint = on_session(function(session, rest)
  local argument = { session = session, note = table.concat(rest, ' ') }
  client.execute('agentos.checkpoint.take', argument, function(result)
    client.say(('%s %d.'):format(result.made and 'Kept as checkpoint' or 'Nothing changed since', result.checkpoint))
  end)
end)

---@param act fun(session: string, number: integer, rest: string[])
---@return agentos.Subcommand
local function on_checkpoint(act)
  return on_session(function(session, rest)
    with_checkpoint(session, rest, function(number) act(session, number, rest) end)
  end, tonumber)
end

subcommands.since = on_checkpoint(function(session, number, rest)
  client.execute('agentos.checkpoint.diff', { session = session, older = number, newer = tonumber(rest[2]) })
end)

subcommands.restore = on_checkpoint(function(session, number)
  client.execute('agentos.checkpoint.restore', { session = session, checkpoint = number }, function(result)
    local lines = { ('Restored %d files; checkpoint %d brings back what they were.'):format(result.files, result.undo) }
    vim.list_extend(lines, vim.tbl_map(function(path) return 'left as it is: ' .. path end, result.kept))
    client.say(table.concat(lines, '\n'))
  end)
end)

subcommands.commit = on_session(function(session) ending.commit(session, false) end, nothing)

subcommands.merge = {
  complete = function(before)
    return #before == 0 and vim.list_extend(names(), STRATEGIES) or #before == 1 and STRATEGIES or {}
  end,
  run = function(words)
    with_session(words, function(session, rest) ending.merge(session, rest[1]) end)
  end,
}

subcommands.preview = {
  complete = subcommands.merge.complete,
  run = function(words)
    with_session(words, function(session, rest)
      local argument = { session = session, strategy = rest[1] }
      client.execute('agentos.session.previewMerge', argument, function(result)
        local lines = { ('%s into %s: %d files'):format(result.kind, result.into, #result.files) }
        local function add(what, paths)
          vim.list_extend(lines, vim.tbl_map(function(path) return what .. path end, paths))
        end
        add('  ', result.files)
        add('conflict: ', result.conflicts)
        add('not committed: ', result.uncommitted)
        add('policy: ', vim.tbl_map(function(finding) return finding.action .. ': ' .. finding.message end, result.findings))
        if result.hindrance ~= '' then
          table.insert(lines, result.hindrance)
        end
        add('in the way: ', result.inTheWay)
        add('check: ', vim.tbl_map(function(check) return check.standing .. ': ' .. check.line end, result.checks))
        client.say(table.concat(lines, '\n'), not result.possible and vim.log.levels.WARN or nil)
      end)
    end)
  end,
}

subcommands.undo = on_session(function(session)
  client.execute('agentos.session.undoMerge', { session = session }, function(result)
    if result.undone then
      client.say(('%s is as before the merge; %s holds the work.'):format(result.into, result.branch))
      client.look_again()
    else
      client.say(table.concat({ result.message, unpack(result.paths) }, '\n'), vim.log.levels.WARN)
    end
  end)
end, nothing)

subcommands.discard = on_session(function(session)
  -- Without `confirm` the server only says what would be lost.
  client.execute('agentos.session.discard', { session = session }, function(loss)
    local lines = vim.list_extend({ ('Discard %s? What would be lost:'):format(session) }, ending.lost(loss))
    if #lines == 1 then
      lines[1] = ('Discard %s? Nothing would be lost.'):format(session)
    end
    ending.confirm('agentos_discard', lines, 'Keep it', 'Discard it', function()
      client.execute('agentos.session.discard', { session = session, confirm = true, shown = loss.shown })
    end)
  end)
end, nothing)

subcommands.keep = on_session(function(session)
  client.execute('agentos.session.keep', { session = session }, function(result)
    if #result.sessions == 0 then
      return client.say(('No other session works on the task of %s.'):format(session))
    end
    local lines = { ('Keep %s and discard the others on its task?'):format(session) }
    for _, other in ipairs(result.sessions) do
      table.insert(lines, other.session .. ':')
      vim.list_extend(lines, ending.lost(other))
    end
    ending.confirm('agentos_keep', lines, 'Keep all', 'Discard the others', function()
      client.execute('agentos.session.keep', { session = session, confirm = true, shown = result.shown })
    end)
  end)
end, nothing)

---@param document string
---@return agentos.Subcommand
local function on_document(document)
  return on_session(function(session) open(document, session) end, nothing)
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
