// Start, approve, compare and merge, in VS Code.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run } from './vscode.mjs';

const TASK = 'Say who edited the licence';
const ASKED = `python3 -c "print('cleared by a person')"`;

await run(async (code) => {
  const { page, seen } = code;
  const licence = path.join(process.env.E2E_CLONE, 'LICENSE');
  await code.open('LICENSE');

  // A toast goes by itself after a while, so it is looked for from the beginning.
  const toast = code.toast('The agent asks to run').innerText();
  await code.command('AgentOS: Start a Session');
  await code.answer('Start a Session', TASK);
  await code.tab('session.md').waitFor();

  // What waits is a lens, a problem, a row, a number, and a notification. The lens first: the editor asks for lenses only
  // while it has the focus.
  await code.lens('Approve once').waitFor();
  seen.lenses = await code.text('.editor-instance .codelens-decoration a');
  seen.toast = await toast;
  await page.keyboard.press('Escape');
  await code.command('View: Toggle Problems');
  const problem = code.problem('The agent asks to run');
  seen.problem = await problem.innerText();
  await code.command('AgentOS: Focus on Sessions View');
  seen.approval = await code.row(ASKED).innerText();
  seen.group = await code.row('Needs You').innerText();
  seen.badge = await page.locator('.activitybar .action-item', { has: page.locator('[aria-label^="AgentOS"]') }).locator('.badge-content').innerText();
  seen.status = await code.status('AgentOS').innerText();
  await code.widen();
  await code.picture('vscode-approval');

  await code.lens('Approve once').click();
  await code.row('To Review').waitFor();
  await problem.waitFor({ state: 'detached' });

  await code.command('View: Hide Panel');
  await code.row(TASK).locator('.monaco-tl-twistie').click();
  seen.files = [await code.row('LICENSE').innerText(), await code.row('editors of this file.txt').innerText()];
  await code.row('LICENSE').locator('.monaco-tl-twistie').click();
  seen.hunk = await code.row('@@ line 1').innerText();
  await code.row('@@ line 1').click();
  const sides = page.locator('.monaco-diff-editor');
  await sides.locator('.modified .view-line', { hasText: 'edited by an agent' }).first().waitFor();
  seen.left = (await code.text('.monaco-diff-editor .original .view-line'))[0];
  seen.right = (await code.text('.monaco-diff-editor .modified .view-line'))[0];
  await code.picture('vscode-diff');
  await code.again(async () => {
    await sides.locator('.modified .view-line').nth(2).click({ button: 'right', timeout: 10_000 });
    await page.getByRole('menuitem', { name: 'Accept the Hunk' }).waitFor({ timeout: 10_000 });
  });
  seen.menu = (await page.getByRole('menuitem').allInnerTexts()).map((text) => text.trim()).filter((text) => / the (Hunk|File)/.test(text));
  await page.keyboard.press('Escape');

  await code.command('AgentOS: Open the Changes of a Session');
  await page.locator('.multiDiffEntry', { hasText: 'editors of this file.txt' }).waitFor();
  seen.multi = await page.locator('.multiDiffEntry .file-path .title.modified').allInnerTexts();
  seen.before = fs.readFileSync(licence, 'utf8').split('\n')[0];

  await code.row(TASK).click();
  await code.tab('session.md').waitFor();
  await code.command('AgentOS: Merge a Session');
  await code.pick('Merge', 'Squash');
  await code.toast('Merged 2 files into work').waitFor();
  seen.after = fs.readFileSync(licence, 'utf8').split('\n')[0];
  await code.tab('LICENSE').click();
  await code.until('the open editor to show the merged text', async () =>
    (await code.text()).some((line) => line.includes('MIT License (edited by an agent)')),
  );
});
