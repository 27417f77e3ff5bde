/** Wires the parts; everything else is decided by the server. */

import * as vscode from 'vscode';
import * as commands from './commands';
import { Server } from './server';
import { Sessions } from './sessions';
import { StatusItem } from './status';
import { Tree } from './tree';

/** Settings that the server is told when it starts. */
const AT_START = ['agentos.path', 'agentos.arguments', 'agentos.permissions', 'agentos.bell'];

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const connection = new Server(context);
  server = connection;
  const sessions = new Sessions(connection);
  const tree = new Tree(connection, sessions);
  const view = vscode.window.createTreeView('agentos.sessions', { treeDataProvider: tree, showCollapseAll: true });
  const status = new StatusItem(sessions, view);
  context.subscriptions.push(
    status,
    view,
    tree,
    sessions,
    commands.register(connection, sessions),
    sessions.onChange(() => status.show(connection.condition)),
    connection.onCondition((condition) => status.show(condition)),
    vscode.workspace.onDidGrantWorkspaceTrust(() => connection.restart()),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (AT_START.some((name) => change.affectsConfiguration(name))) {
        void connection.restart();
      }
    }),
  );
  await connection.restart();
}

export async function deactivate(): Promise<void> {
  await server?.dispose();
}
