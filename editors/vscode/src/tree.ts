/** The Sessions view: groups, their sessions, in each what waits for an answer and which files it changed, and their hunks. */

import * as path from 'node:path';
import * as vscode from 'vscode';
import { type ChangedFile, type Group, type Hunk, type Question, type Row, type Said } from './protocol';
import { type Server } from './server';
import { type Sessions } from './sessions';

export interface GroupNode {
  kind: 'group';
  group: Group;
}

export interface SessionNode {
  kind: 'session';
  session: string;
  row: Row;
}

export interface ApprovalNode {
  kind: 'approval';
  session: string;
  question: Question;
}

export interface FileNode {
  kind: 'file';
  session: string;
  file: ChangedFile;
}

export interface HunkNode {
  kind: 'hunk';
  session: string;
  file: ChangedFile;
  hunk: Hunk;
}

/** Stands for rows that are too many to show. */
export interface MoreNode {
  kind: 'more';
  session: string;
  words: string;
  file?: ChangedFile;
}

export type Node = GroupNode | SessionNode | ApprovalNode | FileNode | HunkNode | MoreNode;

const TITLES: Record<Group, string> = {
  'needs-you': 'Needs You',
  running: 'Running',
  'to-review': 'To Review',
  ended: 'Ended',
};

const ICONS: Record<string, [icon: string, color?: string]> = {
  starting: ['loading~spin'],
  running: ['loading~spin', 'charts.blue'],
  waiting: ['bell-dot', 'charts.yellow'],
  paused: ['debug-pause'],
  interrupted: ['debug-disconnect', 'charts.yellow'],
  idle: ['git-pull-request', 'charts.green'],
  merging: ['loading~spin'],
  merged: ['git-merge', 'charts.purple'],
  undone: ['discard', 'charts.yellow'],
  discarded: ['trash'],
  failed: ['error', 'charts.red'],
};

const LIVE = new Set<Group>(['needs-you', 'running', 'to-review']);

export class Tree implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscription: vscode.Disposable;
  /** The sessions whose rows were asked for since the last change, and rows that are there before they are asked for. */
  private readonly asked = new Set<string>();
  private ready = new Map<string, Node[]>();
  private renewing: Promise<void> | undefined;
  private stale = false;

  readonly onDidChangeTreeData = this.changed.event;

  constructor(
    private readonly server: Server,
    private readonly sessions: Sessions,
  ) {
    this.subscription = sessions.onChange(() => this.renew());
  }

  dispose(): void {
    this.subscription.dispose();
    this.changed.dispose();
  }

  getTreeItem(node: Node): vscode.TreeItem {
    switch (node.kind) {
      case 'group':
        return this.groupItem(node);
      case 'session':
        return sessionItem(node);
      case 'approval':
        return approvalItem(node);
      case 'file':
        return fileItem(node);
      case 'hunk':
        return hunkItem(node);
      case 'more':
        return moreItem(node);
    }
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node === undefined) {
      const groups = Object.keys(TITLES) as Group[];
      return groups.filter((group) => this.of(group).length > 0).map((group) => ({ kind: 'group', group }));
    }
    if (node.kind === 'group') {
      return this.of(node.group).map((row) => ({ kind: 'session', session: row.session, row }));
    }
    if (node.kind === 'file') {
      return hunksOf(node);
    }
    if (node.kind !== 'session') {
      return [];
    }
    const { session } = node;
    this.asked.add(session);
    return this.ready.get(session) ?? this.inside(session);
  }

  /** Fetches what will be asked for before it says that rows have changed: from then on the rows that are shown are dead. */
  private renew(): void {
    this.stale = true;
    this.renewing ??= this.renewWhileStale().finally(() => {
      this.renewing = undefined;
    });
  }

  private async renewWhileStale(): Promise<void> {
    while (this.stale) {
      this.stale = false;
      const live = new Set(this.sessions.rows.filter((row) => LIVE.has(row.group)).map((row) => row.session));
      const wanted = [...this.asked].filter((session) => live.has(session));
      const found = await Promise.all(wanted.map(async (session) => [session, await this.inside(session)] as const));
      this.asked.clear();
      this.ready = new Map(found);
      this.changed.fire();
    }
  }

  private async inside(session: string): Promise<Node[]> {
    const [shown, changed] = await Promise.all([
      this.server.look('agentos.session.show', { session }),
      this.server.look('agentos.session.files', { session }),
    ]);
    return [
      ...(shown?.approvals ?? []).map((question): Node => ({ kind: 'approval', session, question })),
      ...(changed?.files ?? []).map((file): Node => ({ kind: 'file', session, file })),
      ...more(session, (changed?.total ?? 0) - (changed?.files.length ?? 0), 'file'),
    ];
  }

  private of(group: Group): Row[] {
    return this.sessions.rows.filter((row) => row.group === group);
  }

  private groupItem({ group }: GroupNode): vscode.TreeItem {
    const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
    const item = new vscode.TreeItem(TITLES[group], group === 'ended' ? Collapsed : Expanded);
    item.id = `group ${group}`;
    item.description = String(this.of(group).length);
    item.contextValue = 'group';
    return item;
  }
}

function hunksOf({ session, file }: FileNode): Node[] {
  return [
    ...file.hunks.map((hunk): Node => ({ kind: 'hunk', session, file, hunk })),
    ...more(session, file.hunkCount - file.hunks.length, 'hunk', file),
  ];
}

function more(session: string, count: number, what: string, file?: ChangedFile): Node[] {
  const words = `${count} more ${what}${count === 1 ? '' : 's'}`;
  return count > 0 ? [{ kind: 'more', session, words, ...(file && { file }) }] : [];
}

function sessionItem({ row }: SessionNode): vscode.TreeItem {
  const { None, Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  const live = LIVE.has(row.group);
  const title = row.task.trim().split('\n', 1)[0] || row.session;
  const item = new vscode.TreeItem(title, !live ? None : row.waiting > 0 ? Expanded : Collapsed);
  const [icon, color] = ICONS[row.status] ?? ['circle-outline'];
  // What waits is unfolded although an earlier state of the same session was folded.
  item.id = row.waiting > 0 ? `${row.session} waits` : row.session;
  item.description = row.waiting > 1 ? `${row.waiting} requests wait` : row.status;
  item.tooltip = `${title}\n${row.session}: ${row.status}`;
  item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
  item.contextValue = `session ${live ? 'live' : 'ended'} ${row.status}`;
  item.command = { command: 'agentos.openPage', title: 'Open the Page', arguments: [{ session: row.session }] };
  item.accessibilityInformation = { label: `${title}, ${row.status}` };
  return item;
}

function approvalItem({ session, question }: ApprovalNode): vscode.TreeItem {
  const item = new vscode.TreeItem(question.line.replaceAll('\n', '⏎'));
  item.id = `${session} ${question.approval}`;
  item.description = question.cwd && `in ${question.cwd}`;
  item.tooltip = `The agent asks to run:\n${question.line}`;
  item.iconPath = new vscode.ThemeIcon('shield', new vscode.ThemeColor('charts.yellow'));
  item.contextValue = ['approval', question.prefix && 'prefix', question.folder && 'folder'].filter(Boolean).join(' ');
  item.command = { command: 'agentos.openPage', title: 'Open the Page', arguments: [{ session }] };
  return item;
}

function fileItem(node: FileNode): vscode.TreeItem {
  const { file } = node;
  const { None, Collapsed } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(path.posix.basename(file.path), file.hunkCount > 0 ? Collapsed : None);
  const folder = path.posix.dirname(file.path);
  item.id = `${node.session} ${file.base ?? file.file}`;
  item.description = `${folder === '.' ? '' : `${folder} `}+${file.additions} −${file.deletions}${said(file.said)}`;
  item.tooltip = `${file.path}: ${file.status}`;
  item.iconPath = new vscode.ThemeIcon(
    file.base === null ? 'diff-added' : file.file === null ? 'diff-removed' : 'diff-modified',
  );
  item.contextValue = 'file';
  item.command = { command: 'agentos.openFile', title: 'Open the Change', arguments: [node] };
  return item;
}

function hunkItem(node: HunkNode): vscode.TreeItem {
  const { file, hunk } = node;
  const item = new vscode.TreeItem(hunk.title);
  item.id = `${node.session} ${file.base ?? file.file} ${hunk.digest}`;
  item.description = said(hunk.said).trimStart();
  item.tooltip = `${file.path}: ${hunk.title}`;
  item.iconPath = new vscode.ThemeIcon(hunk.said === 'accepted' ? 'pass' : hunk.said === 'asked' ? 'comment' : 'diff-single');
  item.contextValue = 'hunk';
  item.command = { command: 'agentos.openFile', title: 'Open the Change', arguments: [node] };
  return item;
}

function moreItem({ session, words, file }: MoreNode): vscode.TreeItem {
  const item = new vscode.TreeItem(words);
  item.id = `${session} ${file?.name ?? ''} more`;
  item.description = 'open the changes as a patch';
  item.iconPath = new vscode.ThemeIcon('ellipsis');
  item.contextValue = 'more';
  item.command = { command: 'agentos.openPatch', title: 'Open the Changes as a Patch', arguments: [{ session }] };
  return item;
}

function said(word: Said): string {
  return word === '' ? '' : ` ${word === 'asked' ? 'change asked for' : word}`;
}
