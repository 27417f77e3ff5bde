-- `:checkhealth agentos`: whether this Neovim, the server and git can work together.
local M = {}

---@param command string[]
---@return string? output Its first line, nil if it cannot be run
local function first_line(command)
  local started, process = pcall(vim.system, command, { text = true })
  local done = started and process:wait(5000)
  return done and done.code == 0 and vim.split(done.stdout .. done.stderr, '\n')[1] or nil
end

---Says which daemon this Neovim shares with other editors.
---@param command string[] How the server is started
function M.daemon(command)
  local health = vim.health
  if vim.list_contains(command, '--stdio') then
    health.info('No daemon: with --stdio this Neovim has a server of its own, which ends with it.')
    return
  end
  local asked = vim.list_extend(vim.list_slice(command), { 'daemon', 'status' })
  local started, process = pcall(vim.system, asked, { text = true })
  local done = started and process:wait(5000) or nil
  local lines = done and vim.split(vim.trim(done.stdout .. done.stderr), '\n') or {}
  if done and done.code == 0 then
    for _, line in ipairs(lines) do
      (vim.startswith(line, ' ') and health.info or health.ok)(vim.startswith(line, ' ') and vim.trim(line) or 'Daemon: ' .. line)
    end
  else
    health.info(lines[1] and lines[1] ~= '' and lines[1] or 'The daemon cannot be asked; it is started by the first editor.')
  end
end

function M.check()
  local health = vim.health
  health.start('agentos')

  if vim.fn.has('nvim-0.12') == 1 then
    health.ok(('Neovim %s'):format(vim.version()))
  else
    health.error('Neovim is older than 0.12', { 'Install Neovim 0.12 or newer.' })
    return
  end

  local config = vim.lsp.config.agentos
  if not config then
    health.error('lsp/agentos.lua is not on the runtimepath', { 'Install editors/nvim as a plugin; see :help agentos-install.' })
    return
  end
  local program = config.cmd[1]
  local version = vim.fn.executable(program) == 1 and first_line({ program, '--version' })
  if version then
    health.ok(('%s: %s'):format(vim.fn.exepath(program), version))
  else
    health.error(
      ('"%s" cannot be run'):format(program),
      { 'Install agentos-lsp so that it is on PATH, or say where it is: vim.g.agentos = { cmd = { "/path/to/agentos-lsp" } }' }
    )
  end

  if version then
    M.daemon(config.cmd)
  end

  local git = first_line({ 'git', '--version' })
  if git then
    health.ok(git)
  else
    health.warn('git is not on PATH', { 'Sessions work without it, but an agent that runs git needs it.' })
  end

  if vim.lsp.is_enabled('agentos') then
    health.ok('Enabled: it starts with the first file of a git repository.')
  else
    health.info("Not enabled: it starts with the first :AgentOS. For every repository: vim.lsp.enable('agentos')")
  end
  local clients = vim.lsp.get_clients({ name = 'agentos' })
  for _, client in ipairs(clients) do
    local buffers = #vim.tbl_keys(client.attached_buffers)
    health.ok(('Connected for %s, attached to %d buffers.'):format(client.root_dir or 'no folder', buffers))
  end
  if #clients == 0 then
    health.info('No server is running now.')
  end

  local known = { cmd = 'table', demo = 'boolean', permissions = 'table', trusted = 'boolean', bell = 'boolean or "select"', events = 'boolean' }
  for name, value in pairs(vim.g.agentos or {}) do
    local expected = known[name]
    if not expected then
      health.warn(('vim.g.agentos.%s is not an option'):format(name), { 'See :help agentos-options.' })
    elseif type(value) ~= expected:match('^%w+') and not (name == 'bell' and value == 'select') then
      health.warn(('vim.g.agentos.%s should be %s'):format(name, expected))
    end
  end
end

return M
