// VS Code beside Neovim on one daemon: it starts a session, sees Neovim's answer, and is closed while the agent works.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { run } from './vscode.mjs';

const shared = (what) => path.join(process.env.E2E_SHARED, what);

await run(async (code) => {
  const { seen } = code;
  await code.until('Neovim', () => fs.existsSync(shared('neovim is there')));
  await code.command('AgentOS: Start a Session');
  await code.answer('Start a Session', 'Say who edited the licence');
  await code.tab('session.md').waitFor();
  await code.lens('Approve once').waitFor();
  seen.session = (await code.text())[0].replace('# ', '');
  await code.command('AgentOS: Focus on Sessions View');
  await code.row('Needs You').waitFor();
  fs.writeFileSync(shared('session.part'), `${seen.session}\n`);
  fs.renameSync(shared('session.part'), shared('session'));
  await code.row('Running').waitFor();
});
