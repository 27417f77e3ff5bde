// The demo in a browser: start, approve by lenses, compare, look at the models, merge; all of it in the page.
import { run, Workbench } from './vscode.mjs';

class Page extends Workbench {
  constructor(page) {
    super(page);
    this.seen.hosts = [];
    this.seen.errors = [];
    const hosts = new Set();
    page.on('request', (request) => {
      const { protocol, hostname } = new URL(request.url());
      if (!['data:', 'blob:'].includes(protocol) && !hosts.has(hostname)) {
        hosts.add(hostname);
        this.seen.hosts.push(hostname);
      }
    });
    page.on('pageerror', (error) => this.seen.errors.push(String(error)));
  }

  async ready() {
    // Python's modules are compiled in the page, which a loaded machine takes its time for.
    await this.page.locator('#status', { hasText: /^Ready\.$/ }).waitFor({ timeout: 180_000 });
  }

  says(text) {
    return this.page.locator('#status', { hasText: text });
  }

  lens(title) {
    return this.page.locator('#editor .codelens-decoration a', { hasText: title }).first();
  }

  tab(title) {
    return this.page.getByRole('tab', { name: title });
  }

  /** What the editor shows, as text. */
  async shown(where = '#editor') {
    const lines = await this.page.locator(`${where} .view-line`).allInnerTexts();
    return lines.map((line) => line.replaceAll('\u00a0', ' '));
  }

  line(text, where = '#editor') {
    return this.page.locator(`${where} .view-line`, { hasText: text }).first();
  }
}

await run(async (demo) => {
  const { page, seen } = demo;
  seen.overview = await demo.line('No sessions yet').innerText();
  await page.getByRole('button', { name: 'Start a session' }).click();
  await demo.says('Waits for you: python3 -m unittest -q').waitFor();
  await demo.lens('Approve once').waitFor();
  seen.lenses = await page.locator('#editor .codelens-decoration a').allInnerTexts();
  await demo.line('Simulated').waitFor();
  seen.top = (await demo.shown())[0];
  await demo.picture('demo-page');

  await demo.lens('Approve this line for this session').click();
  await demo.says('adds again').waitFor();
  await page.getByRole('button', { name: 'Compare' }).click();
  await demo.line('return one + two', '#diff .modified').waitFor();
  seen.left = await demo.line('return one - two', '#diff .original').innerText();
  await page.getByRole('button', { name: 'Look at the models' }).click();
  await demo.line('played [ok]').waitFor();
  seen.models = (await demo.shown()).filter((line) => line.startsWith('## '));
  await page.getByRole('button', { name: 'Merge' }).click();
  await demo.says('Merged 1 files into main.').waitFor();
  await demo.tab('Sessions').click();
  await demo.line('[merged]').waitFor();
  seen.merged = await demo.line('[merged]').innerText();
}, Page);
