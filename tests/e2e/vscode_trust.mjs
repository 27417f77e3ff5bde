// A server that is not where the settings say, a workspace that is not trusted yet, then a session that is rejected and
// discarded.
import * as fs from 'node:fs';
import { run } from './vscode.mjs';

await run(async (code) => {
  const { page, seen } = code;
  seen.missing = await code.toast('was not found').innerText();
  seen.status = await code.status('AgentOS').innerText();

  // The settings are mended; the extension needs no reload.
  const file = process.env.E2E_SETTINGS;
  const settings = JSON.parse(fs.readFileSync(file, 'utf8'));
  const mended = JSON.stringify({ ...settings, 'agentos.path': process.env.E2E_SERVER });
  fs.writeFileSync(file, mended);
  await code.command('AgentOS: Focus on Sessions View');
  const welcome = page.locator('.sidebar .welcome-view-content');
  let looks = 0;
  seen.welcome = await code.until('the view to say that nothing is trusted', async () => {
    // VS Code may have begun to watch the file only after it was written: then it is saved once more, as a person would.
    looks += 1;
    if (looks % 20 === 0) fs.writeFileSync(file, mended + '\n'.repeat(looks / 20));
    const text = await welcome.innerText();
    return text.includes('do not trust') && text;
  });
  await page.keyboard.press('F1');
  await code.type('>AgentOS: ');
  await code.quick('AgentOS: Check a Command Line').waitFor();
  seen.palette = await page.locator('.quick-input-list .monaco-list-row .label-name').allInnerTexts();
  await page.keyboard.press('Escape');

  await code.command('Workspaces: Manage Workspace Trust');
  await page.locator('.workspace-trust-editor .monaco-button', { hasText: 'Trust' }).first().click();
  await code.until('the view to offer a session', async () => (await welcome.innerText()).includes('Start a Session'));

  await code.open('LICENSE');
  await page.locator('.editor-instance .view-line').first().click();
  await page.keyboard.press('Control+L');
  await code.command('AgentOS: Let an Agent Do This');
  await code.answer('Let an Agent Do This', 'Explain this');
  await code.tab('session.md').waitFor();
  await code.lens('Reject').waitFor();
  seen.page = await code.text();

  // The answer with a comment is a quick fix of the problem; a read-only editor itself offers no quick fixes.
  await code.command('View: Toggle Problems');
  let turns = 0;
  await code.again(async () => {
    await page.keyboard.press('Escape'); // closes what an earlier attempt left open
    await code.problem('The agent asks to run').click();
    await page.keyboard.press('Control+.');
    const item = page.getByRole('menuitem', { name: 'Reject with a comment' });
    await item.waitFor({ timeout: 10_000 });
    await page.waitForTimeout(500); // a menu that has just opened ignores clicks
    await item.hover();
    // Some menus take a click for a way out: by turns the item under the mouse is chosen by key and by click.
    turns += 1;
    await (turns % 2 ? page.keyboard.press('Enter') : item.click({ timeout: 10_000 }));
    await code.title('Reject with a Comment').waitFor({ timeout: 10_000 });
  });
  await code.answer('Reject with a Comment', 'Read the licence instead');
  await code.row('To Review').waitFor();
  await code.row('Explain this').click();
  await code.until('the page to say what was refused', async () =>
    (await code.text()).some((line) => line.includes('Read the licence instead')),
  );

  const dialog = page.locator('.monaco-dialog-box');
  await code.command('AgentOS: Check a Command Line');
  await code.answer('Check a Command Line', 'cat README.md');
  await dialog.waitFor();
  seen.check = await dialog.innerText();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  await code.command('AgentOS: Discard a Session');
  seen.discard = await dialog.innerText();
  await dialog.locator('.monaco-button', { hasText: 'Discard' }).click();
  await code.row('Ended').waitFor();
  seen.ended = await code.row('Ended').innerText();
});
