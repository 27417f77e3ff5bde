-- What the plugin adds to `lsp/agentos.lua` when Neovim starts. Nothing is loaded before it is needed.
if vim.fn.has('nvim-0.12') == 0 then
  vim.notify_once('agentos needs Neovim 0.12 or newer.', vim.log.levels.ERROR)
  return
end

local group = vim.api.nvim_create_augroup('agentos', {})

-- A Neovim that reads virtual documents by itself says so; then nothing is to be added.
if not vim.tbl_get(vim.lsp.protocol.make_client_capabilities(), 'workspace', 'textDocumentContent') then
  vim.api.nvim_create_autocmd('BufReadCmd', {
    group = group,
    pattern = 'agentos://*',
    desc = 'Reads a document of agentos-lsp',
    callback = function(event) require('agentos.document').read(event.buf, event.match) end,
  })
  vim.lsp.handlers['workspace/textDocumentContent/refresh'] = function(...)
    return require('agentos.document').refresh(...)
  end
  vim.api.nvim_create_autocmd('LspAttach', {
    group = group,
    desc = 'Takes up documents that an earlier server left behind',
    callback = function(event)
      local client = assert(vim.lsp.get_client_by_id(event.data.client_id))
      if client.name == 'agentos' then
        require('agentos.document').adopt(client)
      end
    end,
  })
end

-- The words that differ inside the changed lines of a diff; a colour scheme may have colours of its own for them.
for _, kind in ipairs({ 'agentosRemoved', 'agentosAdded' }) do
  vim.api.nvim_set_hl(0, '@lsp.type.' .. kind, { link = 'DiffText', default = true })
end

vim.api.nvim_create_autocmd('LspProgress', {
  group = group,
  desc = 'Shows progress in a status line that holds vim.lsp.status()',
  callback = function() vim.cmd.redrawstatus() end,
})

vim.api.nvim_create_autocmd('DiagnosticChanged', {
  group = group,
  desc = 'Shows what waits in a status line that holds agentos.status',
  callback = function() vim.cmd.redrawstatus() end,
})

vim.api.nvim_create_user_command('AgentOS', function(arguments) require('agentos.command').run(arguments) end, {
  nargs = '+',
  desc = 'Starts, steers and merges sessions of coding agents',
  complete = function(...) return require('agentos.command').complete(...) end,
})
