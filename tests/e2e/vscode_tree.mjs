// The Sessions view alone: a request, hunks and a file are answered in its rows; then checkpoints, a merge whose check nobody
// has vouched for, and its undoing.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run } from './vscode.mjs';

const TASK = 'Change the licence and add a note';
const CHECK = "python3 -c 'print(1)'";

await run(async (code) => {
  const { page, seen } = code;
  const licence = path.join(process.env.E2E_CLONE, 'LICENSE');
  const lines = (file) => fs.readFileSync(file, 'utf8').split('\n');
  /** Presses a button that a row shows under the mouse, again where the row was just being replaced, until it is done. */
  const press = async (row, title, done) => {
    let pressed = false;
    await code.again(async () => {
      if (!pressed || !(await done())) {
        await code.row(row).hover({ timeout: 10_000 });
        await code.row(row).locator(`.actions [aria-label="${title}"]`).click({ timeout: 10_000 });
        pressed = true;
        for (const end = Date.now() + 10_000; !(await done()); ) {
          if (Date.now() > end) {
            throw new Error(`${title} on ${row} did nothing`);
          }
          await page.waitForTimeout(100);
        }
      }
    });
  };
  const gone = (row) => async () => (await code.row(row).count()) === 0;
  /** Chooses in the menu of a row. */
  const choose = (row, title) =>
    code.again(async () => {
      await code.row(row).click({ button: 'right', timeout: 10_000 });
      const item = page.getByRole('menuitem', { name: title });
      await item.waitFor({ timeout: 10_000 });
      await page.waitForTimeout(500); // a menu that has just opened ignores clicks
      await item.click({ timeout: 10_000 });
      await item.waitFor({ state: 'detached', timeout: 10_000 });
    });
  const unfold = (row) =>
    code.until(`${row} to be unfolded`, async () => {
      const state = await code.row(row).getAttribute('aria-expanded', { timeout: 10_000 }).catch(() => undefined);
      if (state === 'false') {
        await code.row(row).locator('.monaco-tl-twistie').click({ timeout: 10_000 }).catch(() => undefined);
      }
      return state === 'true';
    });

  await code.command('AgentOS: Focus on Sessions View');
  await code.widen();
  await code.command('AgentOS: Start a Session');
  await code.answer('Start a Session', TASK);
  // The commit asks for the check of a policy that is not trusted.
  await press(CHECK, 'Approve Once', gone(CHECK));
  await code.row('To Review').waitFor();
  // The page, which has no focus, offers no answer any more.
  await code.lens('Approve once').waitFor({ state: 'detached' });

  await unfold(TASK);
  await unfold('LICENSE');
  await press('@@ line 1,', 'Accept the Hunk', async () => lines(licence)[0] === 'MIT License (edited by an agent)');
  await code.row('accepted').waitFor();
  seen.accepted = await code.row('accepted').innerText();
  await press('@@ line 2', 'Reject the Hunk', gone('@@ line 2'));
  seen.kept = await code.row('LICENSE').innerText();
  seen.person = lines(licence).filter((line) => line.includes('OTHER DEALINGS')).map((line) => line.includes('ANY'));
  await code.picture('vscode-review');

  await choose('note.txt', 'Ask for a Change of the File…');
  await code.answer('Ask for a Change', 'Make it better');
  await press(CHECK, 'Approve Once', gone(CHECK));
  await code.row('To Review').waitFor();
  await unfold(TASK);
  const note = path.join(process.env.E2E_CLONE, 'docs', 'note.txt');
  await press('note.txt', 'Accept the File', async () => fs.existsSync(note));
  seen.note = lines(note)[0];

  await choose(TASK, 'Take a Checkpoint of a Session…');
  await code.answer('Take a Checkpoint', 'as I like it');
  seen.taken = await code.toast('checkpoint').innerText();
  await page.keyboard.press('Escape');
  await choose(TASK, 'Compare Checkpoints of a Session…');
  await code.title('since Which Checkpoint?').waitFor();
  seen.checkpoints = await page.locator('.quick-input-list .monaco-list-row').count();
  await code.quick('the beginning').click();
  await code.pick('Up to Which Checkpoint?', 'Now');
  await code.tab('.diff').waitFor();
  await code.until('the comparison', async () => (await code.text()).some((line) => line.includes('+A better note.')));
  await choose(TASK, 'Restore a Checkpoint of a Session…');
  await code.pick('Restore Which Checkpoint', 'as I like it');
  seen.restored = await code.toast('Restored').innerText();
  await page.keyboard.press('Escape');

  // What was accepted is committed, with something else: the merge makes files that nothing has passed on.
  fs.writeFileSync(path.join(process.env.E2E_CLONE, 'README.md'), 'Meanwhile.\n');
  const git = (...words) => execFileSync('git', ['-C', process.env.E2E_CLONE, ...words], { encoding: 'utf8' });
  git('add', '--all');
  git('commit', '--quiet', '--message=accepted');
  const dialog = page.locator('.monaco-dialog-box');
  await choose(TASK, 'Preview the Merge of a Session…');
  await code.pick('Preview the Merge', 'Merge');
  seen.preview = await dialog.innerText();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await choose(TASK, 'Merge a Session…');
  await code.quick('Rebase').waitFor();
  await code.pick('Merge', 'Squash');
  seen.asked = await dialog.innerText();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  seen.declined = git('log', '-1', '--format=%s').trim();
  // What was made by hand in the worktree is committed first.
  const worktree = git('worktree', 'list', '--porcelain').split('\n').filter((line) => line.startsWith('worktree ')).at(-1).slice(9);
  fs.writeFileSync(path.join(worktree, 'by hand.txt'), 'By hand.\n');
  await choose(TASK, 'Merge a Session…');
  await code.pick('Merge', 'Squash');
  seen.uncommitted = await dialog.innerText();
  await dialog.locator('.monaco-button', { hasText: 'Commit 1 file' }).click();
  await dialog.locator('.monaco-button', { hasText: 'Run and Merge' }).click();
  await code.toast('into work').waitFor();
  seen.byHand = git('show', 'HEAD:by hand.txt');
  seen.merged = git('log', '-1', '--format=%s').trim();
  await page.keyboard.press('Escape');
  await unfold('Ended');
  // It is refused as long as the worktree is being removed.
  await code.again(async () => {
    await choose(TASK, 'Undo the Merge of a Session');
    await code.toast('is as before the merge').waitFor({ timeout: 10_000 });
  });
  seen.undone = git('log', '-1', '--format=%s').trim();
  await code.until('the row to say it', async () => (await code.row(TASK).innerText()).includes('undone'));
});
