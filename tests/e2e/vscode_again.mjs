// Opened after both editors were closed in the middle of a turn: the session waits to be reviewed, and its page says so.
import { run } from './vscode.mjs';

await run(async (code) => {
  await code.command('AgentOS: Focus on Sessions View');
  await code.row('To Review').waitFor();
  await code.row('Say who edited the licence').click();
  await code.tab('session.md').waitFor();
  code.seen.page = await code.until('the page to say it', async () => {
    const lines = await code.text();
    return lines.includes('State: idle') && lines;
  });
});
