/** Answers to the files and hunks of a session: those of a row in the Sessions view, or at the cursor of a diff. */

import * as vscode from 'vscode';
import * as changes from './changes';
import { type AnswerHunk, type Hunk } from './protocol';
import { type Server } from './server';
import { type Sessions } from './sessions';
import { type FileNode, type HunkNode } from './tree';

type Answer = 'accept' | 'reject' | 'show';

export class Review implements vscode.Disposable {
  /** Tells the menus whether the diff in front is one of a session. */
  private readonly watch = vscode.Disposable.from(
    vscode.window.onDidChangeActiveTextEditor(() => this.notice()),
    // Which tab is in front may be told later than which editor.
    vscode.window.tabGroups.onDidChangeTabs(() => this.notice()),
    vscode.window.tabGroups.onDidChangeTabGroups(() => this.notice()),
  );

  constructor(
    private readonly server: Server,
    private readonly sessions: Sessions,
  ) {
    this.notice();
  }

  dispose(): void {
    this.watch.dispose();
  }

  onFile(answer: Answer): (given?: unknown) => Promise<void> {
    return async (given) => {
      const node = chosen(given) ?? (await this.inFront());
      if (node !== undefined) {
        this.note(await this.server.ask(`agentos.file.${answer}`, ofFile(node)));
      }
    };
  }

  onHunk(answer: Answer): (given?: unknown) => Promise<void> {
    return async (given) => {
      const node = await this.hunk(given);
      if (node !== undefined) {
        this.note(await this.server.ask(`agentos.hunk.${answer}`, ofHunk(node)));
      }
    };
  }

  async askForFile(given?: unknown): Promise<void> {
    const node = chosen(given) ?? (await this.inFront());
    if (node !== undefined) {
      await this.askForChange(ofFile(node), 'agentos.file.ask');
    }
  }

  async askForHunk(given?: unknown): Promise<void> {
    const node = await this.hunk(given);
    if (node !== undefined) {
      await this.askForChange(ofHunk(node), 'agentos.hunk.ask');
    }
  }

  async askForChange(about: AnswerHunk, command: 'agentos.hunk.ask' | 'agentos.file.ask'): Promise<void> {
    const comment = await vscode.window.showInputBox({
      title: 'Ask for a Change',
      prompt: 'What should the agent do differently here?',
      ignoreFocusOut: true,
    });
    if (comment !== undefined && comment.trim() !== '') {
      this.note(await this.server.ask(command, { ...about, comment }));
    }
  }

  /** The server has said why an answer did not count; the rows are then not what they were either. */
  private note(told: object | undefined): void {
    if (told === undefined || ('counted' in told && told.counted === false)) {
      void this.sessions.refresh();
    }
  }

  private notice(): void {
    void vscode.commands.executeCommand('setContext', 'agentos.inChange', changes.shown() !== undefined);
  }

  private async hunk(given: unknown): Promise<HunkNode | undefined> {
    const node = chosen(given);
    return node?.kind === 'hunk' ? node : this.atCursor();
  }

  /** The changed file whose diff has the cursor. */
  private async inFront(): Promise<FileNode | undefined> {
    const uri = vscode.window.activeTextEditor?.document.uri;
    const session = changes.shown();
    if (uri === undefined || session === undefined) {
      void vscode.window.showInformationMessage('Open a change of a session first.');
      return undefined;
    }
    const answer = await this.server.ask('agentos.session.files', { session });
    const file = answer?.files.find((one) => [one.base, one.file].some((side) => isSame(side, uri)));
    if (answer !== undefined && file === undefined) {
      void vscode.window.showInformationMessage(`${session} does not change this file.`);
    }
    return file && { kind: 'file', session, file };
  }

  /** The hunk that has the cursor, on either side of a diff. */
  private async atCursor(): Promise<HunkNode | undefined> {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document.isDirty) {
      void vscode.window.showWarningMessage('Save the file first: the hunks are those of what is saved.');
      return undefined;
    }
    const node = await this.inFront();
    if (node === undefined || editor === undefined) {
      return undefined;
    }
    const line = editor.selection.active.line;
    const onBase = isSame(node.file.base, editor.document.uri);
    const hunk = node.file.hunks.find((one) => (onBase ? has(one.baseLine, one.baseLines, line) : has(one.line, one.lines, line)));
    if (hunk === undefined) {
      const why = node.file.hunkCount === 0 ? 'This file is answered as a whole.' : 'There is no hunk at the cursor.';
      void vscode.window.showInformationMessage(why);
    }
    return hunk && { ...node, kind: 'hunk', hunk };
  }
}

/** A row of the view; menus of an editor hand over other things. */
function chosen(given: unknown): FileNode | HunkNode | undefined {
  const node = given as Partial<FileNode | HunkNode> | undefined;
  return node?.kind === 'file' || node?.kind === 'hunk' ? (node as FileNode | HunkNode) : undefined;
}

function ofFile({ session, file }: { session: string; file: FileNode['file'] }): AnswerHunk {
  return { session, path: file.name, digest: file.digest };
}

function ofHunk({ session, file, hunk }: { session: string; file: FileNode['file']; hunk: Hunk }): AnswerHunk {
  return { session, path: file.name, digest: hunk.digest };
}

function isSame(side: string | null, uri: vscode.Uri): boolean {
  return side !== null && vscode.Uri.parse(side, true).toString() === uri.toString();
}

/** Whether a line is one of a hunk; one without lines on this side stands between two. */
function has(start: number, lines: number, line: number): boolean {
  return lines > 0 ? start <= line && line < start + lines : line === start || line === start - 1;
}
