// A page with Monaco, whose language server runs in a worker. What is decided is decided there; this only shows and asks.
import * as monaco from 'monaco-editor';
import { Client } from './client.js';

const OVERVIEW = 'agentos://sessions.md';
const PROVIDERS = 'agentos://providers.md';
const pace = new URLSearchParams(location.search).get('pace') ?? '1';

self.MonacoEnvironment = { getWorker: () => new Worker('editor.worker.js', { type: 'module' }) };

const element = (id) => document.getElementById(id);
const status = (text) => (element('status').textContent = text);
const worker = new Worker(`worker.js?pace=${pace}`, { type: 'module' });
const client = new Client(worker, status);

const LOOK = { readOnly: true, automaticLayout: true, minimap: { enabled: false }, wordWrap: 'on', codeLens: true, links: true };
const editor = monaco.editor.create(element('editor'), { ...LOOK, model: null, scrollBeyondLastLine: false });
const diff = monaco.editor.createDiffEditor(element('diff'), { ...LOOK, originalEditable: false });
const lensesChanged = new monaco.Emitter();

let session;
let shown = '';

function language(uri) {
  return uri.endsWith('.md') ? 'markdown' : uri.endsWith('.py') ? 'python' : 'plaintext';
}

/** Returns the model of a document, with its text as it is now; the address stays as the server wrote it. */
async function model(uri) {
  const text = await client.content(uri);
  const known = monaco.editor.getModel(monaco.Uri.parse(uri));
  if (known !== null) {
    if (known.getValue() !== text) {
      known.setValue(text);
      client.notify('textDocument/didChange', {
        textDocument: { uri, version: known.getVersionId() },
        contentChanges: [{ text }],
      });
    }
    return known;
  }
  const made = monaco.editor.createModel(text, language(uri), monaco.Uri.parse(uri));
  client.notify('textDocument/didOpen', { textDocument: { uri, languageId: language(uri), version: 1, text } });
  return made;
}

const address = (of) => of.uri.toString(true);

async function show(uri) {
  shown = uri;
  element('diff').hidden = true;
  element('editor').hidden = false;
  drawTabs();
  const found = await model(uri);
  if (shown === uri && editor.getModel() !== found) {
    editor.setModel(found);
  }
  lensesChanged.fire();
}

function documents() {
  const own = session === undefined ? [] : ['session.md', 'changes.diff', 'trace.md'];
  return [
    ['Sessions', OVERVIEW],
    ...own.map((name) => [name, `agentos://${session}/${name}`]),
    ['Models', PROVIDERS],
  ];
}

function drawTabs() {
  const tabs = documents().map(([title, uri]) => {
    const tab = document.createElement('button');
    tab.textContent = title;
    tab.role = 'tab';
    tab.ariaSelected = String(uri === shown);
    tab.onclick = () => guard(show(uri));
    return tab;
  });
  element('tabs').replaceChildren(...tabs);
}

/** Says on the page what went wrong, as an editor would. */
async function guard(work) {
  try {
    return await work;
  } catch (error) {
    status(error.message);
    return undefined;
  }
}

// What the server tells of its own accord.

const refreshing = new Set();
client.on('workspace/textDocumentContent/refresh', ({ uri }) => {
  const known = monaco.editor.getModel(monaco.Uri.parse(uri));
  if (known !== null && !refreshing.has(uri)) {
    refreshing.add(uri);
    queueMicrotask(async () => {
      await guard(model(uri));
      refreshing.delete(uri);
      lensesChanged.fire();
    });
  }
});
client.on('workspace/codeLens/refresh', () => lensesChanged.fire());
client.on('workspace/applyEdit', () => ({ applied: false, failureReason: 'the page shows documents only' }));
client.on('window/showDocument', ({ uri }) => {
  void guard(show(uri));
  return { success: true };
});
client.on('window/showMessage', ({ message }) => status(message));
client.on('window/showMessageRequest', ({ message }) => void status(message));
client.on('textDocument/publishDiagnostics', ({ uri, diagnostics }) => {
  const found = monaco.editor.getModel(monaco.Uri.parse(uri));
  if (found !== null) {
    monaco.editor.setModelMarkers(found, 'agentos', diagnostics.map(marker));
  }
});
client.on('agentos/event', ({ type, session: about, line, summary }) => {
  if (about === session && type === 'approval.requested') {
    status(`Waits for you: ${line}`);
  } else if (about === session && type === 'turn.finished') {
    status(summary);
  }
});

const SEVERITIES = [undefined, 8, 4, 2, 1];
const marker = (one) => ({
  ...range(one.range),
  message: one.message,
  code: String(one.code ?? ''),
  source: one.source,
  severity: SEVERITIES[one.severity ?? 1],
});
const range = ({ start, end }) => ({
  startLineNumber: start.line + 1,
  startColumn: start.character + 1,
  endLineNumber: end.line + 1,
  endColumn: end.character + 1,
});

// What the editor asks of the server.

const SELECTOR = { scheme: 'agentos' };

monaco.editor.registerCommand('agentos.page.run', (_, command) => guard(run(command)));

async function run({ command, arguments: given = [] }) {
  if (command === 'agentos.client.askComment' || command === 'agentos.client.askReason') {
    const words = window.prompt('What should the agent know?');
    if (words === null) {
      return;
    }
    const field = command.endsWith('askReason') ? 'reason' : 'comment';
    const then = given[1] ?? (field === 'reason' ? 'agentos.finding.waive' : 'agentos.approval.decide');
    await client.command(then, { ...given[0], [field]: words });
    return;
  }
  const result = await client.ask('workspace/executeCommand', { command, arguments: given });
  if (result?.counted === false) {
    status(result.message);
  }
}

const wrapped = (command) => ({ id: 'agentos.page.run', title: command.title, arguments: [command] });

monaco.languages.registerCodeLensProvider(SELECTOR, {
  onDidChange: lensesChanged.event,
  provideCodeLenses: async (of) => {
    const found = (await client.ask('textDocument/codeLens', { textDocument: { uri: address(of) } })) ?? [];
    return { lenses: found.map((one) => ({ range: range(one.range), command: wrapped(one.command) })), dispose: () => {} };
  },
});

monaco.languages.registerHoverProvider(SELECTOR, {
  provideHover: async (of, at) => {
    const position = { line: at.lineNumber - 1, character: at.column - 1 };
    const found = await client.ask('textDocument/hover', { textDocument: { uri: address(of) }, position });
    const words = found?.contents?.value ?? found?.contents;
    return words ? { contents: [{ value: words }] } : null;
  },
});

monaco.languages.registerLinkProvider(SELECTOR, {
  provideLinks: async (of) => {
    const found = (await client.ask('textDocument/documentLink', { textDocument: { uri: address(of) } })) ?? [];
    return { links: found.map((one) => ({ range: range(one.range), url: one.target })) };
  },
});
monaco.editor.registerLinkOpener({
  open: (uri) => uri.scheme === 'agentos' && (void guard(show(uri.toString(true))), true),
});

// What a person does.

element('start').onsubmit = (event) => {
  event.preventDefault();
  const argument = { task: element('task').value, workspace: 'file:///home/you/calculator', show: false };
  void guard(
    client.command('agentos.session.start', argument).then((started) => {
      session = started.session;
      return show(started.page);
    }),
  );
};
element('diagnose').onclick = () => guard(client.command('agentos.provider.diagnose').then(() => show(PROVIDERS)));
element('compare').onclick = () => guard(compare());
element('merge').onclick = () =>
  guard(
    client.command('agentos.session.merge', { session }).then((done) => {
      status(done.merged ? `Merged ${done.files.length} files into ${done.into}.` : done.message);
    }),
  );

async function compare() {
  const { files } = await client.command('agentos.session.files', { session });
  if (files.length === 0) {
    return status('Nothing has changed.');
  }
  const [first] = files;
  const sides = [first.base, first.file].map((uri) => (uri === null ? monaco.editor.createModel('') : model(uri)));
  const [original, modified] = await Promise.all(sides);
  shown = '';
  drawTabs();
  element('editor').hidden = true;
  element('diff').hidden = false;
  diff.setModel({ original, modified });
}

const capabilities = {
  workspace: { textDocumentContent: { dynamicRegistration: true }, codeLens: { refreshSupport: true } },
  window: { showDocument: { support: true }, workDoneProgress: false },
};
await client.ask('initialize', {
  processId: null,
  rootUri: null,
  clientInfo: { name: 'page' },
  capabilities,
  initializationOptions: {
    trusted: true,
    virtualDocuments: true,
    events: true,
    askText: true,
    permissions: ['observe', 'steer', 'approve', 'merge'],
  },
});
client.notify('initialized', {});
status('Ready.');
await guard(show(OVERVIEW));
