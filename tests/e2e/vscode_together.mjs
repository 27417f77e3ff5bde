// VS Code beside Neovim on one daemon: it starts a session, sees Neovim's answer, compares and merges.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run } from './vscode.mjs';

const TASK = 'Say who edited the licence';
const shared = (what) => path.join(process.env.E2E_SHARED, what);

function tell(what, words) {
  fs.writeFileSync(shared(`${what}.part`), `${words}\n`);
  fs.renameSync(shared(`${what}.part`), shared(what));
}

await run(async (code) => {
  const { page, seen } = code;
  await code.until('Neovim', () => fs.existsSync(shared('neovim is there')));
  await code.command('AgentOS: Start a Session');
  await code.answer('Start a Session', TASK);
  await code.tab('session.md').waitFor();
  await code.lens('Approve once').waitFor();
  seen.session = (await code.text())[0].replace('# ', '');
  tell('session', seen.session);
  await code.command('AgentOS: Focus on Sessions View');
  await code.row('Needs You').waitFor();
  seen.before = await code.status('AgentOS').innerText();
  tell('code sees it', seen.session);

  // Nobody answers here: the question goes when Neovim has answered.
  await code.row('To Review').waitFor();
  await code.lens('Approve once').waitFor({ state: 'detached' });
  await code.until('the status bar to say it', async () => (await code.status('AgentOS').innerText()).trim() === 'AgentOS');

  await code.row(TASK).locator('.monaco-tl-twistie').click();
  await code.row('LICENSE').click();
  await page.locator('.monaco-diff-editor .modified .view-line', { hasText: 'edited by an agent' }).first().waitFor();
  await code.command('AgentOS: Merge a Session');
  await code.pick('Merge', 'Squash');
  await code.toast('Merged 2 files into work').waitFor();
});
