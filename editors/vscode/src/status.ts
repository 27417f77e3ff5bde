/** The status bar item and the number on the view's icon: how many answers a person owes. */

import * as vscode from 'vscode';
import { type Condition } from './server';
import { type Sessions } from './sessions';
import { type Node } from './tree';

const TROUBLE: Partial<Record<Condition, string>> = {
  missing: 'agentos-lsp was not found',
  old: 'agentos-lsp is too old',
  stopped: 'agentos-lsp is not running',
};

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem('agentos.status', vscode.StatusBarAlignment.Left, 10);

  constructor(
    private readonly sessions: Sessions,
    private readonly view: vscode.TreeView<Node>,
  ) {
    this.item.name = 'AgentOS';
    this.item.show();
  }

  show(condition: Condition): void {
    const { waiting, rows } = this.sessions;
    const running = rows.filter((row) => row.group === 'running').length;
    const trouble = TROUBLE[condition];
    const busy = condition === 'starting' || running > 0;
    const words = waiting > 0 ? `${waiting} waiting` : running > 0 ? `${running} running` : '';
    const icon = trouble !== undefined ? 'warning' : waiting > 0 ? 'bell-dot' : busy ? 'loading~spin' : 'hubot';
    this.item.text = `$(${icon}) AgentOS${words && `: ${words}`}`;
    this.item.tooltip = trouble ?? (waiting > 0 ? 'Agents wait for your answer' : 'Show the sessions');
    this.item.command = waiting > 0 ? 'agentos.next' : 'agentos.sessions.focus';
    this.item.backgroundColor =
      waiting > 0 || trouble !== undefined ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
    this.view.badge =
      waiting > 0 ? { value: waiting, tooltip: `${waiting} ${waiting > 1 ? 'requests wait' : 'request waits'}` } : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}
