-- Only `lsp/agentos.lua` is there, as in a setup that keeps such files for many servers.
local e2e = dofile(vim.env.E2E .. '/harness.lua')
local seen = e2e.seen

e2e.run(function()
  local asked
  local before_init = vim.lsp.config.agentos.before_init
  vim.lsp.config('agentos', {
    before_init = function(params, config)
      before_init(params, config)
      asked = params.initializationOptions
    end,
  })
  vim.lsp.enable('agentos')
  vim.cmd.edit('LICENSE')
  e2e.wait('the server', function() return vim.lsp.get_clients({ name = 'agentos', bufnr = 0 })[1] end)
  seen.options = asked

  local command = { title = 'List', command = 'agentos.session.list', arguments = { vim.empty_dict() } }
  e2e.client():exec_cmd(command, nil, function(_, result) seen.sessions = result.sessions end)
  e2e.wait('the answer', function() return seen.sessions end)
end)
