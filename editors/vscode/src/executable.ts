/** Where the server is: in the settings, or on PATH. */

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

export const PROGRAM = 'agentos-lsp';

/** The oldest server that this client understands. */
export const OLDEST = '0.1.0';

/** Returns the program's full path; undefined if nothing that can be run is there. */
export function find(configured: string): string | undefined {
  const wanted = configured.trim() || PROGRAM;
  const named = wanted.startsWith('~/') ? path.join(os.homedir(), wanted.slice(2)) : wanted;
  if (named.includes('/')) {
    return path.isAbsolute(named) && canRun(named) ? named : undefined;
  }
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, named)).find(canRun);
}

export function canRun(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Whether a version is older than another; numbers are compared, what follows them is not. */
export function isOlder(version: string, than: string): boolean {
  const left = numbers(version);
  const right = numbers(than);
  for (let place = 0; place < Math.max(left.length, right.length); place += 1) {
    const difference = (left[place] ?? 0) - (right[place] ?? 0);
    if (difference !== 0) {
      return difference < 0;
    }
  }
  return false;
}

function numbers(version: string): number[] {
  return (/^[0-9.]*/.exec(version)?.[0] ?? '').split('.').map(Number);
}
