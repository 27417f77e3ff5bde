-- How a session ends: what a person is asked before a commit, a merge or a discard.
local client = require('agentos.client')

local M = {}

---Merges; `run_checks` are the lines of checks that nobody has vouched for and that may run.
---@param session string
---@param strategy? string
---@param run_checks? string[]
local function send(session, strategy, run_checks)
  local argument = { session = session, strategy = strategy, runChecks = run_checks }
  client.execute('agentos.session.merge', argument, function(result)
    if result.merged then
      client.say(('Merged %d files into %s.'):format(#result.files, result.into))
      client.look_again()
    else
      client.say(table.concat({ result.message, unpack(result.paths) }, '\n'), vim.log.levels.WARN)
    end
  end)
end

---Asks about something that a person has to see first.
---@param kind string
---@param lines string[]
---@param no string
---@param yes string
---@param act fun()
function M.confirm(kind, lines, no, yes, act)
  vim.ui.select({ no, yes }, { prompt = table.concat(lines, '\n'), kind = kind }, function(_, choice)
    if choice == 2 then
      act()
    end
  end)
end

---Commits what stands in the worktree; what the policy asks about is shown first.
---@param session string
---@param confirmed boolean
---@param on_committed? fun()
function M.commit(session, confirmed, on_committed)
  client.execute('agentos.session.commit', { session = session, confirm = confirmed }, function(result)
    if result.committed then
      client.say(('Committed %d files of %s.'):format(#result.files, session))
      return on_committed and on_committed()
    end
    local lines = { result.kind == 'refused' and 'The policy refuses this commit:' or 'The policy asks about this commit:' }
    vim.list_extend(lines, vim.tbl_map(function(finding) return finding.message end, result.findings))
    if result.kind == 'refused' then
      return client.say(table.concat(lines, '\n'), vim.log.levels.WARN)
    end
    M.confirm('agentos_commit', lines, 'Do not commit', 'Commit', function() M.commit(session, true, on_committed) end)
  end)
end

---Merges; what is not committed, and checks that nobody has vouched for, the person is asked about first.
---@param session string
---@param strategy? string
function M.merge(session, strategy)
  client.execute('agentos.session.previewMerge', { session = session, strategy = strategy }, function(found)
    if #found.uncommitted > 0 then
      local lines = { 'A merge takes only what is committed. Not committed:', unpack(found.uncommitted) }
      local yes = ('Commit %d files first'):format(#found.uncommitted)
      return M.confirm('agentos_commit', lines, 'Do not merge', yes, function()
        M.commit(session, false, function() M.merge(session, strategy) end)
      end)
    end
    local unasked = vim.tbl_filter(function(check) return check.standing == 'ask' end, found.checks)
    if #unasked == 0 then
      return send(session, strategy)
    end
    local lines = { 'The policy wants these checks to pass on the merged files, and you have not trusted it:' }
    vim.list_extend(lines, vim.tbl_map(function(check) return ('%s: %s'):format(check.name, check.line) end, unasked))
    M.confirm('agentos_checks', lines, 'Do not merge', 'Run them and merge', function()
      send(session, strategy, vim.tbl_map(function(check) return check.line end, unasked))
    end)
  end)
end

---Returns one line for each thing that would be lost.
---@param loss { commits: string[], uncommitted: string[] }
---@return string[]
function M.lost(loss)
  local lines = vim.tbl_map(function(commit) return 'commit ' .. commit end, loss.commits)
  return vim.list_extend(lines, vim.tbl_map(function(path) return 'uncommitted: ' .. path end, loss.uncommitted))
end

return M
