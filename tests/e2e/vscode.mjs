// Drives VS Code's real workbench as a person would: by its keys, its palette, its trees and its editors. Each scenario calls
// `run`, which opens the workbench, plays it, and writes what it saw as JSON to $E2E_REPORT; the Python side compares.
import { createRequire } from 'node:module';
import * as fs from 'node:fs';
import * as path from 'node:path';

const { chromium } = createRequire(path.join(process.env.E2E_DRIVER, 'package.json'))('playwright-core');

/** How long a step may take; a loaded machine is slow, and a step that goes well waits for nothing. */
const PATIENCE_MS = 60_000;

/** Pictures may differ by this share of their dots and still be the same picture: names of sessions end in random letters. */
const SAME = 0.004;

export class Workbench {
  constructor(page) {
    this.page = page;
    this.seen = {};
  }

  /** Waits until the workbench has drawn itself and the extension is there. */
  async ready() {
    await this.page.locator('.monaco-workbench').waitFor();
    await this.status('AgentOS').waitFor();
  }

  status(text) {
    return this.page.locator('.statusbar-item', { hasText: text }).first();
  }

  /** Types into the quick input, which lies open, until it holds the text. */
  async type(text) {
    const input = this.page.locator('.quick-input-widget:visible .quick-input-box input').first();
    await input.waitFor();
    await input.fill(text);
  }

  /** A row of the quick input. */
  quick(text) {
    return this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
  }

  /** The title of the quick input. */
  title(text) {
    return this.page.locator('.quick-input-widget:visible .quick-input-title', { hasText: text });
  }

  /** Runs a command of the palette; tries again when something else took the focus meanwhile. */
  async command(title) {
    await this.again(async () => {
      await this.page.keyboard.press('F1');
      await this.type(`>${title}`);
      await this.quick(title).waitFor({ timeout: 10_000 });
      await this.page.keyboard.press('Enter');
    });
  }

  /** Waits for the quick input with that title, and fills it. */
  async answer(title, text) {
    await this.title(title).waitFor();
    await this.type(text);
    await this.page.keyboard.press('Enter');
  }

  /** Picks a row of the quick input with that title. */
  async pick(title, label) {
    await this.title(title).waitFor();
    await this.quick(label).click();
  }

  /** Opens a file of the workspace. */
  async open(name) {
    await this.again(async () => {
      await this.page.keyboard.press('Control+P');
      await this.type(name);
      await this.quick(name).waitFor({ timeout: 10_000 });
      await this.page.keyboard.press('Enter');
      await this.tab(name).waitFor({ timeout: 10_000 });
    });
  }

  tab(name) {
    return this.page.locator('.tabs-container .tab', { hasText: name }).first();
  }

  /** Makes the side bar wide enough for a command line. */
  async widen() {
    const edge = (await this.page.locator('.part.sidebar').boundingBox()) ?? { x: 0, width: 300 };
    await this.page.mouse.move(edge.x + edge.width, 300);
    await this.page.mouse.down();
    await this.page.mouse.move(edge.x + edge.width + 130, 300, { steps: 5 });
    await this.page.mouse.up();
  }

  /** A row of the Sessions view. */
  row(text) {
    return this.page.locator('.sidebar .pane-body .monaco-list-row', { hasText: text }).first();
  }

  /** A row of the Problems view. */
  problem(text) {
    return this.page.locator('.markers-panel .monaco-list-row', { hasText: text }).last();
  }

  /** A lens with that title, in the editor that is in front. */
  lens(title) {
    return this.page.locator('.editor-instance .codelens-decoration a', { hasText: title }).first();
  }

  /** A notification, shown as a toast. */
  toast(text) {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text }).first();
  }

  /** What the editors show, with ordinary blanks. */
  async text(selector = '.editor-instance .view-line') {
    const lines = await this.page.locator(selector).allInnerTexts();
    return lines.map((line) => line.replaceAll('\u00a0', ' '));
  }

  /** Waits for a condition; returns its value. */
  async until(what, condition, patience = PATIENCE_MS) {
    const end = Date.now() + patience;
    for (;;) {
      const value = await condition();
      if (value) {
        return value;
      }
      if (Date.now() > end) {
        throw new Error(`waited in vain for ${what}`);
      }
      await this.page.waitForTimeout(100);
    }
  }

  /** Does something that another window may interrupt, a few times. */
  async again(act) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await act();
      } catch (error) {
        if (attempt === 8) {
          throw error;
        }
        await this.page.keyboard.press('Escape');
      }
    }
  }

  /** Takes a picture for the documentation, and keeps the old one where nothing to speak of has changed. */
  async picture(name) {
    await this.page.mouse.move(200, 600);
    const folder = process.env.E2E_IMAGES;
    const file = path.join(folder, `${name}.png`);
    const taken = await this.page.screenshot({ animations: 'disabled', caret: 'hide' });
    if (fs.existsSync(file) && (await this.difference(fs.readFileSync(file), taken)) <= SAME) {
      return;
    }
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(file, taken);
  }

  /** Which share of the dots of two pictures differs visibly. */
  async difference(old, taken) {
    const blank = await this.page.context().browser().newPage();
    try {
      return await blank.evaluate(
        async (pictures) => {
          const [left, right] = await Promise.all(
            pictures.map(async (picture) => {
              const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
              const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
              context.drawImage(bitmap, 0, 0);
              return context.getImageData(0, 0, bitmap.width, bitmap.height);
            }),
          );
          if (left.width !== right.width || left.height !== right.height) {
            return 1;
          }
          let different = 0;
          for (let at = 0; at < left.data.length; at += 4) {
            const apart = [0, 1, 2].some((color) => Math.abs(left.data[at + color] - right.data[at + color]) > 40);
            different += apart ? 1 : 0;
          }
          return different / (left.width * left.height);
        },
        [old.toString('base64'), taken.toString('base64')],
      );
    } finally {
      await blank.close();
    }
  }
}

/** Opens the address, and plays a scenario on what is there: the workbench, or another page with a class of its own. */
export async function run(scenario, Kind = Workbench) {
  const report = { seen: {}, failure: null };
  const browser = await chromium.launch({ executablePath: process.env.E2E_CHROMIUM });
  try {
    const page = await browser.newPage({ viewport: { width: 1360, height: 760 } });
    page.setDefaultTimeout(PATIENCE_MS);
    const workbench = new Kind(page);
    report.seen = workbench.seen;
    try {
      await page.goto(process.env.E2E_URL, { waitUntil: 'commit' });
      await workbench.ready();
      await scenario(workbench);
    } catch (error) {
      report.failure = String(error.stack ?? error);
      await page.screenshot({ path: process.env.E2E_FAILURE }).catch(() => {});
      report.screen = await page.locator('body').innerText().catch(() => '');
    }
  } finally {
    await browser.close();
  }
  fs.writeFileSync(process.env.E2E_REPORT, JSON.stringify(report));
}
