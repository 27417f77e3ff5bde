// Runs inside VS Code's extension host, beside the extension: what each contribution does, seen by the editor's own API.
// Writes what it saw as JSON to $E2E_REPORT; the Python side compares.
const fs = require('node:fs');
const path = require('node:path');
const vscode = require('vscode');

const PATIENCE_MS = 60_000;

async function until(what, condition) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const run = (command, ...values) => vscode.commands.executeCommand(command, ...values);

/** Asks what the editor's providers have; the editor cancels the question when the document changes meanwhile. */
const look = (command, ...values) =>
  until(command, () => run(command, ...values).then((found) => found?.length > 0 && found, () => undefined));

/** Spells tokens out: each type, and the words that it stands on. */
function words(document, data, legend) {
  const found = [];
  let [line, start] = [0, 0];
  for (let at = 0; at < data.length; at += 5) {
    [line, start] = [line + data[at], data[at] === 0 ? start + data[at + 1] : data[at + 1]];
    found.push([legend.tokenTypes[data[at + 3]], document.lineAt(line).text.slice(start, start + data[at + 2])]);
  }
  return found;
}

const tab = () => vscode.window.tabGroups.activeTabGroup.activeTab;

const status = async (session) => (await run('agentos.session.show', { session })).status;

async function play(seen) {
  const extension = vscode.extensions.getExtension('agentos-lsp.agentos-lsp');
  await extension.activate();
  const registered = new Set(await vscode.commands.getCommands(true));
  const contributed = extension.packageJSON.contributes.commands.map((one) => one.command);
  seen.unregistered = contributed.filter((command) => !registered.has(command));

  const started = await run('agentos.session.start', { task: 'Say who edited the licence', script: process.env.E2E_SCRIPT });
  const { session } = started;
  const page = vscode.Uri.parse(started.page);
  await until('something to wait', async () => (await status(session)) === 'waiting');
  await run('agentos.next');
  const document = await until('the page', () => {
    const shown = vscode.window.activeTextEditor?.document;
    return shown?.uri.toString() === page.toString() && shown;
  });
  const [waits] = await until('a diagnostic', () => {
    const found = vscode.languages.getDiagnostics(page);
    return found.length > 0 && document.getText().includes('## Waits for you') && found;
  });
  seen.language = document.languageId;
  seen.diagnostic = { source: waits.source, code: waits.code, line: document.lineAt(waits.range.start.line).text.slice(0, 3) };
  const actions = await look('vscode.executeCodeActionProvider', page, waits.range, 'quickfix');
  seen.actions = actions.map((action) => [action.title, action.kind?.value]);
  const lenses = await look('vscode.executeCodeLensProvider', page);
  seen.lenses = lenses.map((lens) => lens.command.title);
  const hovers = await look('vscode.executeHoverProvider', page, waits.range.start);
  seen.hover = hovers.flatMap((hover) => hover.contents.map((content) => content.value)).join('\n');
  const symbols = await look('vscode.executeDocumentSymbolProvider', page);
  seen.symbols = symbols.map((symbol) => symbol.name);
  const links = await look('vscode.executeLinkProvider', page);
  seen.links = links.map((link) => link.target?.path.split('/').pop());

  await run('agentos.pause', { session });
  seen.paused = await status(session);
  const approve = lenses.find((lens) => lens.command.title === 'Approve once').command;
  await run(approve.command, ...approve.arguments);
  await until('the diagnostics to be gone', () => vscode.languages.getDiagnostics(page).length === 0);
  await until('the pause', async () => (await status(session)) === 'paused');
  await run('agentos.resume', { session });
  await until('the end of the turn', async () => (await status(session)) === 'idle');

  const { files } = await run('agentos.session.files', { session });
  const node = (name) => ({ kind: 'file', session, file: files.find((one) => one.path === name) });
  seen.files = files.map((one) => [one.path, one.status]);
  await run('agentos.openFile', node('LICENSE'));
  const compared = await until('a diff', () => tab()?.input instanceof vscode.TabInputTextDiff && tab().input);
  seen.left = compared.original.toString().replaceAll(session, 'SESSION');
  seen.base = (await vscode.workspace.openTextDocument(compared.original)).lineAt(0).text;
  seen.right = path.basename(compared.modified.fsPath);
  seen.work = (await vscode.workspace.openTextDocument(compared.modified)).lineAt(0).text;
  const rows = async () => (await run('agentos.session.files', { session })).files.find((one) => one.path === 'LICENSE').hunks;
  seen.hunks = (await rows()).map((hunk) => hunk.title.split(',')[0]);
  const last = (await rows()).at(-1);
  const work = vscode.Uri.parse(node('LICENSE').file.file).fsPath;
  const committed = fs.readFileSync(work);
  const cursor = async (line) => {
    await run('agentos.openFile', { ...node('LICENSE'), kind: 'hunk', hunk: { line } });
    await until('the cursor', () => {
      const editor = vscode.window.activeTextEditor;
      return editor?.document.uri.path.endsWith('/LICENSE') && editor.selection.active.line === line;
    });
  };
  // At a line between two hunks nothing is answered; at the line of one it is that one, and a row of the view is its own.
  await cursor(last.line - 5);
  await run('agentos.rejectHunk');
  seen.unanswered = (await rows()).length;
  await cursor(last.line);
  // A row that was replaced as its button was pressed comes as nothing: what is in front is not meant.
  await run('agentos.rejectHunk', undefined);
  await run('agentos.discard', undefined);
  seen.unanswered += (await rows()).length;
  await run('agentos.rejectHunk', vscode.window.activeTextEditor.document.uri);
  seen.rejected = (await rows()).map((hunk) => hunk.title.split(',')[0]);
  await run('agentos.showHunk', { ...node('LICENSE'), kind: 'hunk', hunk: (await rows())[0] });
  await until('the hunk in the patch', () => tab()?.input?.uri?.path === '/changes.diff');
  await run('agentos.rejectFile', node('LICENSE'));
  seen.stale = (await rows()).length;
  // A rejection is uncommitted work, which a merge would refuse: it is taken back.
  fs.writeFileSync(work, committed);
  await run('agentos.openFile', node('Makefile'));
  await until('a deleted file', () => tab()?.input?.uri?.path === '/base/Makefile');
  await run('agentos.openFile', node('docs/new file #1.txt'));
  await until('an added file', () => tab()?.input?.uri?.scheme === 'file' && tab().input.uri.path.endsWith('/docs/new file #1.txt'));
  await run('agentos.openChanges', { session });
  await until('all changes', () => tab()?.label.startsWith(`Changes of ${session}`));
  await run('agentos.openPatch', { session });
  await until('the patch', () => tab()?.input?.uri?.path === '/changes.diff');
  const patch = vscode.window.activeTextEditor.document;
  seen.patch = patch.languageId;
  const legend = await run('vscode.provideDocumentSemanticTokensLegend', patch.uri);
  seen.words = await until('the words that differ', async () => {
    const tokens = await run('vscode.provideDocumentSemanticTokens', patch.uri).then((found) => found, () => undefined);
    return tokens?.data.length > 0 && words(patch, tokens.data, legend);
  });
  const own = vscode.Uri.file(path.join(vscode.workspace.workspaceFolders[0].uri.fsPath, 'LICENSE'));
  await vscode.workspace.openTextDocument(own);
  seen.elsewhere = (await run('vscode.provideDocumentSemanticTokensLegend', own)) ?? null;
  await run('agentos.openTrace', { session });
  await until('the rendered trace', () => tab()?.input instanceof vscode.TabInputWebview && tab().label.includes('trace.md'));
  await run('agentos.showProviders');
  // Its address has no path to be named after.
  await until('the rendered models', () => tab()?.input instanceof vscode.TabInputWebview && tab().label === 'Preview ');
  await run('agentos.list');
  await until('the overview', () => tab()?.input?.uri?.toString() === 'agentos://sessions.md');

  await run('agentos.stop', { session });
  const merged = await run('agentos.session.merge', { session, strategy: 'squash' });
  seen.merged = merged.files;
  await run('agentos.restart');
  seen.found = (await run('agentos.session.list', {})).sessions.map((one) => [one.session === session, one.status, one.group]);
}

exports.run = async () => {
  const report = { seen: {}, failure: null };
  try {
    await play(report.seen);
  } catch (error) {
    report.failure = String(error.stack ?? error);
    report.screen = vscode.window.tabGroups.all.flatMap((group) => group.tabs.map((one) => one.label)).join('\n');
  }
  fs.writeFileSync(process.env.E2E_REPORT, JSON.stringify(report));
};
