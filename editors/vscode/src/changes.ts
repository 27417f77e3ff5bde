/** A session's changes in the editor's own diff: left the file where the session began, right the worktree's. */

import * as path from 'node:path';
import * as vscode from 'vscode';
import { type ChangedFile } from './protocol';

const TITLE = 'Changes of ';

/** Opens one change, at a line of it; a file that is on one side only is opened as it is. */
export async function openOne(session: string, file: ChangedFile, line?: number): Promise<void> {
  const { left, right } = sides(file);
  const name = path.posix.basename(file.path);
  const options = line === undefined ? {} : { selection: new vscode.Range(line, 0, line, 0) };
  if (left !== undefined && right !== undefined) {
    await vscode.commands.executeCommand('vscode.diff', left, right, `${name} (${session})`, options);
  } else {
    const state = left === undefined ? 'added' : 'deleted';
    await vscode.commands.executeCommand('vscode.open', right ?? left, {}, `${name} (${state}, ${session})`);
  }
}

/** Opens all changes of a session, several in one editor; of very many the first, and the person is told. */
export async function openAll(session: string, files: readonly ChangedFile[], total: number): Promise<void> {
  const [first, ...others] = files;
  if (first === undefined) {
    void vscode.window.showInformationMessage(`${session} has changed nothing.`);
  } else if (others.length === 0) {
    await openOne(session, first);
  } else {
    const resources = files.map((file) => {
      const { left, right } = sides(file);
      return [right ?? left, left, right];
    });
    await vscode.commands.executeCommand('vscode.changes', `${TITLE}${session}`, resources);
  }
  if (total > files.length) {
    void vscode.window.showInformationMessage(`These are ${files.length} of ${total} files; the patch has all.`);
  }
}

/** The session whose document is in front. */
export function shown(): string | undefined {
  const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
  const input = tab?.input;
  const uris =
    input instanceof vscode.TabInputText ? [input.uri]
    : input instanceof vscode.TabInputTextDiff ? [input.original, input.modified]
    : [];
  const session = uris.find((uri) => uri.scheme === 'agentos')?.authority;
  // The tab of several files tells what it shows by its title only.
  const several = uris.length === 0 && tab?.label.startsWith(TITLE) ? tab.label.slice(TITLE.length).split(' ', 1)[0] : undefined;
  return session?.endsWith('.md') ? undefined : (session ?? several);
}

function sides(file: ChangedFile): { left: vscode.Uri | undefined; right: vscode.Uri | undefined } {
  return {
    left: file.base === null ? undefined : vscode.Uri.parse(file.base, true),
    right: file.file === null ? undefined : vscode.Uri.parse(file.file, true),
  };
}
