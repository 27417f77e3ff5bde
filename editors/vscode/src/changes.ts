/** A session's changes in the editor's own diff: left the file where the session began, right the worktree's. */

import * as path from 'node:path';
import * as vscode from 'vscode';
import { type ChangedFile } from './protocol';

/** Opens one change; a file that is on one side only is opened as it is. */
export async function openOne(session: string, file: ChangedFile): Promise<void> {
  const { left, right } = sides(file);
  const name = path.posix.basename(file.path);
  if (left !== undefined && right !== undefined) {
    await vscode.commands.executeCommand('vscode.diff', left, right, `${name} (${session})`);
  } else {
    const state = left === undefined ? 'added' : 'deleted';
    await vscode.commands.executeCommand('vscode.open', right ?? left, {}, `${name} (${state}, ${session})`);
  }
}

/** Opens all changes of a session, several in one editor. */
export async function openAll(session: string, files: readonly ChangedFile[]): Promise<void> {
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
    await vscode.commands.executeCommand('vscode.changes', `Changes of ${session}`, resources);
  }
}

function sides(file: ChangedFile): { left: vscode.Uri | undefined; right: vscode.Uri | undefined } {
  return {
    left: file.base === null ? undefined : vscode.Uri.parse(file.base, true),
    right: file.file === null ? undefined : vscode.Uri.parse(file.file, true),
  };
}
