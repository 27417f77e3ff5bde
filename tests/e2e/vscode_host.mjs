// Opens a workbench whose extension host runs vscode_host.cjs, and waits until that has written its report.
import { createRequire } from 'node:module';
import * as fs from 'node:fs';
import * as path from 'node:path';

const { chromium } = createRequire(path.join(process.env.E2E_DRIVER, 'package.json'))('playwright-core');

const browser = await chromium.launch({ executablePath: process.env.E2E_CHROMIUM });
try {
  const page = await browser.newPage();
  const ended = new Promise((resolve) => page.exposeFunction('codeAutomationExit', resolve));
  await page.exposeFunction('codeAutomationLog', () => {});
  const { host } = new URL(process.env.E2E_URL);
  const remote = (place) => `vscode-remote://${host}${encodeURI(place)}`;
  const payload = [
    ['extensionDevelopmentPath', remote(process.env.E2E_EXTENSION)],
    ['extensionTestsPath', remote(path.join(import.meta.dirname, 'vscode_host.cjs'))],
  ];
  await page.goto(`${process.env.E2E_URL}&payload=${encodeURIComponent(JSON.stringify(payload))}`, { waitUntil: 'commit', timeout: 120_000 });
  await ended;
} finally {
  await browser.close();
}
if (!fs.existsSync(process.env.E2E_REPORT)) {
  throw new Error('the extension host ended without a report');
}
