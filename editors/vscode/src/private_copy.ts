/** A private copy of the server: a Python environment in the extension's own storage, made only when a person says so. */

import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { PROGRAM, canRun, find } from './executable';

const INSTALL = 'Install';

/** Source: `requires-python` of the server's pyproject.toml. */
const OLDEST_PYTHON = 11;
const NEWEST_PYTHON = 13;

/** Written last, so a folder without it was not finished. */
const MARK = 'complete';

export class PrivateCopy implements vscode.Disposable {
  private readonly storage: string;
  /** How the folders of this version's copies begin: no install changes files that a running server has its code from. */
  private readonly prefix: string;
  private readonly shipped: string;
  /** What is being made: the folder, and the process that works in it. */
  private making: { folder: string; child?: ChildProcess } | undefined;
  private busy = false;

  constructor(
    context: vscode.ExtensionContext,
    private readonly log: (line: string) => void,
  ) {
    const { version } = context.extension.packageJSON as { version: string };
    this.storage = context.globalStorageUri.fsPath;
    this.prefix = `server-${version}-`;
    this.shipped = path.join(context.extensionPath, 'server');
  }

  /** Returns the program of the newest copy that was installed to the end. */
  program(): string | undefined {
    const names = fs.existsSync(this.storage) ? fs.readdirSync(this.storage) : [];
    const numbers = names.filter((name) => name.startsWith(this.prefix)).map((name) => Number(name.slice(this.prefix.length)));
    return numbers
      .sort((left, right) => right - left)
      .map((number) => path.join(this.storage, `${this.prefix}${number}`))
      .filter((folder) => fs.existsSync(path.join(folder, MARK)))
      .map((folder) => path.join(folder, 'bin', PROGRAM))
      .find(canRun);
  }

  /** Ends an install that is under way, and leaves nothing of it. */
  dispose(): void {
    if (this.making !== undefined) {
      end(this.making.child);
      fs.rmSync(this.making.folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /** Asks, then installs; returns whether it is there now. What goes wrong is said, with the one command to run. */
  async install(): Promise<boolean> {
    if (this.busy) {
      return false;
    }
    this.busy = true;
    try {
      return await this.ask();
    } finally {
      this.busy = false;
    }
  }

  private async ask(): Promise<boolean> {
    const wheel = this.wheel();
    if (wheel === undefined) {
      advise('This extension was packaged without the server. In a clone of its repository, run:', 'pipx install --force .');
      return false;
    }
    const wanted = vscode.workspace.getConfiguration('agentos').get('python', '').trim() || 'python3';
    const python = find(wanted);
    const version = python && (await this.versionOf(python));
    if (python === undefined || !version || !isGood(version)) {
      const found = python === undefined ? `${wanted} was not found` : `${python} is ${version ? `Python ${version}` : 'no Python that runs'}`;
      advise(
        `Python 3.${OLDEST_PYTHON} to 3.${NEWEST_PYTHON} is needed, and ${found}. Name one in the setting agentos.python, or run:`,
        `pipx install --force --python python3.${NEWEST_PYTHON} '${wheel}'`,
      );
      return false;
    }
    const folder = path.join(this.storage, `${this.prefix}${Date.now()}`);
    const former = this.program() === undefined ? '' : ' The copy that is there stays, because a server may run from it.';
    const detail =
      `A Python environment is made in ${folder} with ${python} (${version}). pip installs the server that this extension ` +
      'carries into it, and fetches what that depends on from the package index that pip is set up for. Nothing else is changed; ' +
      `to remove it, delete that folder.${former}`;
    const chosen = await vscode.window.showInformationMessage(
      'Install a private copy of the server, agentos-lsp?',
      { modal: true, detail },
      INSTALL,
    );
    return chosen === INSTALL && this.make(folder, python, wheel);
  }

  private async make(folder: string, python: string, wheel: string): Promise<boolean> {
    return vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Installing agentos-lsp', cancellable: true },
      async (progress, cancel) => {
        const inside = path.join(folder, 'bin', 'python');
        const pip = ['-I', '-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', wheel];
        const steps: [what: string, program: string, args: string[]][] = [
          ['making a Python environment', python, ['-I', '-m', 'venv', folder]],
          ['fetching and installing', inside, pip],
          // What it depends on has to be there too, which `--version` does not need.
          ['trying it', inside, ['-P', '-c', 'import agentos_lsp.cli.serve']],
        ];
        this.making = { folder };
        try {
          await fs.promises.mkdir(folder, { recursive: true });
          for (const [what, program, args] of steps) {
            progress.report({ message: what });
            const { code, said } = await this.run(program, args, cancel);
            if (cancel.isCancellationRequested) {
              return false;
            }
            if (code !== 0) {
              const last = said.trim().split('\n').at(-1) ?? '';
              advise(`The server was not installed: ${what} failed. ${last} The log has all. To install it yourself, run:`, `pipx install --force '${wheel}'`);
              return false;
            }
          }
          await fs.promises.writeFile(path.join(folder, MARK), `${path.basename(wheel)}\n`);
          return true;
        } finally {
          this.making = undefined;
          if (!fs.existsSync(path.join(folder, MARK))) {
            await fs.promises.rm(folder, { recursive: true, force: true, maxRetries: 3 });
          }
        }
      },
    );
  }

  private wheel(): string | undefined {
    const names = fs.existsSync(this.shipped) ? fs.readdirSync(this.shipped) : [];
    const name = names.find((one) => one.endsWith('.whl'));
    return name && path.join(this.shipped, name);
  }

  private async versionOf(python: string): Promise<string | undefined> {
    const { code, said } = await this.run(python, ['-I', '-c', 'import platform; print(platform.python_version())']);
    return code === 0 ? said.trim() : undefined;
  }

  /** Runs a program to its end; never in the workspace, whose files it must not pick up. */
  private run(
    program: string,
    args: string[],
    cancel?: vscode.CancellationToken,
  ): Promise<{ code: number | null; said: string }> {
    this.log(`${program} ${args.join(' ')}`);
    return new Promise((resolve) => {
      // Its own process group: what it starts is ended with it.
      const child = spawn(program, args, { cwd: path.parse(program).root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
      if (this.making !== undefined) {
        this.making.child = child;
      }
      const listening = cancel?.onCancellationRequested(() => end(child));
      let said = '';
      const hear = (piece: Buffer) => {
        said = (said + piece.toString()).slice(-20_000);
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      const finish = (code: number | null) => {
        listening?.dispose();
        this.log(said);
        resolve({ code, said });
      };
      child.on('error', (error) => {
        said += error.message;
        finish(null);
      });
      child.on('close', finish);
    });
  }
}

/** Ends a process with all that it has started. */
function end(child: ChildProcess | undefined): void {
  if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
}

function isGood(version: string): boolean {
  const minor = Number(/^3\.(\d+)/.exec(version)?.[1] ?? 0);
  return OLDEST_PYTHON <= minor && minor <= NEWEST_PYTHON;
}

/** Says what is wrong, and the one command to run; nothing waits for the answer. */
function advise(words: string, command: string): void {
  const asked = vscode.window.showErrorMessage(`${words} ${command}`, 'Copy the Command', 'Open Settings');
  void asked.then(async (chosen) => {
    if (chosen === 'Copy the Command') {
      await vscode.env.clipboard.writeText(command);
    } else if (chosen === 'Open Settings') {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'agentos.python');
    }
  });
}
