// No server anywhere: a private copy is offered, with a Python that is too old and one that breaks; declined, then agreed to,
// and a session starts with it.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run } from './vscode.mjs';

await run(async (code) => {
  const { page, seen } = code;
  const offer = code.toast('was not found');
  seen.missing = await offer.innerText();
  await code.command('AgentOS: Focus on Sessions View');
  const welcome = page.locator('.sidebar .welcome-view-content');
  await code.until('the view to say it', async () => (await welcome.innerText()).includes('was not found'));
  seen.welcome = await welcome.innerText();

  // The setting names a script, which is one Python after another.
  const python = (body) => {
    fs.writeFileSync(`${process.env.E2E_PYTHON}.part`, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    fs.renameSync(`${process.env.E2E_PYTHON}.part`, process.env.E2E_PYTHON);
  };
  python('echo 3.9.2');
  await code.command('AgentOS: Install a Private Copy of the Server');
  seen.old = await code.toast('3.9.2').innerText();

  const dialog = page.locator('.monaco-dialog-box');
  python(`case "$*" in *venv*) echo "no room"; exit 1;; esac; exec '${process.env.E2E_REAL_PYTHON}' "$@"`);
  await code.command('AgentOS: Install a Private Copy of the Server');
  await dialog.locator('.monaco-button', { hasText: 'Install' }).click();
  seen.broken = await code.toast('no room').innerText();

  python(`exec '${process.env.E2E_REAL_PYTHON}' "$@"`);
  await code.command('AgentOS: Install a Private Copy of the Server');
  await dialog.waitFor();
  seen.asked = await dialog.innerText();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const storage = path.join(path.dirname(process.env.E2E_SETTINGS), '..', 'User', 'globalStorage', 'agentos-lsp.agentos-lsp');
  seen.untouched = fs.existsSync(storage) ? fs.readdirSync(storage) : [];

  // Cancelled while a process of the environment's maker still writes into it.
  const started = `${process.env.E2E_PYTHON}.started`;
  const slow = `for folder; do :; done; (while :; do mkdir -p "$folder"; echo more >>"$folder/growing"; sleep 0.05; done) & echo $! >'${started}'; wait`;
  python(`case "$*" in *venv*) ${slow};; esac; exec '${process.env.E2E_REAL_PYTHON}' "$@"`);
  await code.command('AgentOS: Install a Private Copy of the Server');
  await dialog.locator('.monaco-button', { hasText: 'Install' }).click();
  await code.until('the environment to grow', () => fs.existsSync(started) && fs.readdirSync(storage).some((name) => name.startsWith('server-')));
  const writer = Number(fs.readFileSync(started, 'utf8'));
  await code.toast('Installing agentos-lsp').locator('.monaco-button', { hasText: 'Cancel' }).click();
  await code.until('nothing to be left', () => fs.readdirSync(storage).every((name) => !name.startsWith('server-')));
  await code.until('the writer to be gone', () => !fs.existsSync(`/proc/${writer}/stat`) || fs.readFileSync(`/proc/${writer}/stat`, 'utf8').includes(') Z '));
  seen.cancelled = fs.readdirSync(storage).filter((name) => name.startsWith('server-'));

  python(`exec '${process.env.E2E_REAL_PYTHON}' "$@"`);
  await welcome.getByText('Install a Private Copy').click();
  await dialog.locator('.monaco-button', { hasText: 'Install' }).click();
  await code.until('the copy to run', async () => (await welcome.innerText()).includes('Start a Session'), 150_000);
  await code.command('AgentOS: Start a Session');
  await code.answer('Start a Session', 'Say who edited the licence');
  await code.tab('session.md').waitFor();
  await code.lens('Approve once').waitFor();
  seen.page = (await code.text())[0];

  // Again, while the server runs from the copy that is there: beside it.
  await code.command('AgentOS: Install a Private Copy of the Server');
  await dialog.waitFor();
  seen.again = await dialog.innerText();
  await dialog.locator('.monaco-button', { hasText: 'Install' }).click();
  await code.until('a second copy', () => fs.readdirSync(storage).filter((name) => fs.existsSync(path.join(storage, name, 'complete'))).length === 2, 150_000);
  await code.lens('Approve once').waitFor();
});
