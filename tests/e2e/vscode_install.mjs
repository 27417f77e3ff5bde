// No server anywhere: a private copy is offered, declined, then agreed to, and a session starts with it.
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

  const dialog = page.locator('.monaco-dialog-box');
  await code.command('AgentOS: Install a Private Copy of the Server');
  await dialog.waitFor();
  seen.asked = await dialog.innerText();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  const storage = path.join(path.dirname(process.env.E2E_SETTINGS), '..', 'User', 'globalStorage', 'agentos-lsp.agentos-lsp');
  seen.untouched = fs.existsSync(storage) ? fs.readdirSync(storage) : [];

  await welcome.getByText('Install a Private Copy').click();
  await dialog.locator('.monaco-button', { hasText: 'Install' }).click();
  await code.until('the copy to run', async () => (await welcome.innerText()).includes('Start a Session'), 150_000);
  await code.command('AgentOS: Start a Session');
  await code.answer('Start a Session', 'Say who edited the licence');
  await code.tab('session.md').waitFor();
  await code.lens('Approve once').waitFor();
  seen.page = (await code.text())[0];
});
