/** The commands: each asks a person for what is missing, then asks the server for one thing. */

import * as vscode from 'vscode';
import * as changes from './changes';
import * as checkpoints from './checkpoints';
import * as ending from './ending';
import {
  type AnswerHunk,
  ASK_COMMENT,
  ASK_REASON,
  type Commands,
  type DecideApproval,
  type OneFinding,
  type OneSession,
  type OpenDocument,
} from './protocol';
import { Review } from './review';
import { type Server } from './server';
import { type Sessions } from './sessions';
import { type ApprovalNode, type FileNode, type HunkNode } from './tree';

/** Commands that are about no row of the Sessions view. */
const WITHOUT_ROW = new Set(
  ['start', 'startSeveral', 'startFromSelection', 'list', 'next', 'showProviders', 'check', 'refresh', 'installServer', 'restart', 'showLog'].map(
    (name) => `agentos.${name}`,
  ),
);

export function register(server: Server, sessions: Sessions): vscode.Disposable {
  const steering = new Steering(server, sessions);
  const review = new Review(server, sessions);
  const simple = (command: 'agentos.session.pause' | 'agentos.session.resume' | 'agentos.session.stop') =>
    steering.onSession((session) => server.ask(command, { session }));
  const document = (document: NonNullable<OpenDocument['document']>) =>
    steering.onSession((session) => server.ask('agentos.session.open', { session, document }));
  const answer = (outcome: DecideApproval['outcome'], scope: NonNullable<DecideApproval['scope']>) =>
    (node: ApprovalNode) => server.ask('agentos.approval.decide', decision(node, outcome, scope));
  /** A button of a row that was replaced as it was pressed comes with nothing, and must not act on what is in front instead. */
  const guarded = (handler: (...values: never[]) => unknown) =>
    (...given: unknown[]) => (given.length > 0 && !given[0] ? gone(sessions) : handler(...(given as never[])));
  const handlers: Record<string, (...values: never[]) => unknown> = {
    'agentos.start': () => steering.start(),
    'agentos.startSeveral': () => steering.startSeveral(),
    'agentos.startFromSelection': () => steering.startFromSelection(),
    'agentos.list': () => server.ask('agentos.session.open', { document: 'overview' }),
    'agentos.next': () => steering.next(),
    'agentos.openPage': document('page'),
    'agentos.openPatch': document('changes'),
    'agentos.openTrace': steering.onSession((session) => steering.trace(session)),
    'agentos.openChanges': steering.onSession((session) => steering.changes(session)),
    'agentos.openFile': (node: FileNode | HunkNode) =>
      changes.openOne(node.session, node.file, node.kind === 'hunk' ? node.hunk.line : undefined),
    'agentos.prompt': steering.onSession((session) => steering.prompt(session)),
    'agentos.pause': simple('agentos.session.pause'),
    'agentos.resume': simple('agentos.session.resume'),
    'agentos.stop': simple('agentos.session.stop'),
    'agentos.chooseModel': steering.onSession((session) => steering.model(session)),
    'agentos.takeCheckpoint': steering.onSession((session) => checkpoints.take(server, session)),
    'agentos.compareCheckpoints': steering.onSession((session) => checkpoints.compare(server, session)),
    'agentos.restoreCheckpoint': steering.onSession((session) => checkpoints.restore(server, session)),
    'agentos.commit': steering.onSession((session) => ending.commit(server, session)),
    'agentos.merge': steering.onSession((session) => ending.merge(server, session)),
    'agentos.previewMerge': steering.onSession((session) => ending.preview(server, session)),
    'agentos.undoMerge': steering.onSession((session) => ending.undo(server, session)),
    'agentos.keep': steering.onSession((session) => ending.keep(server, session)),
    'agentos.discard': steering.onSession((session) => ending.discard(server, session)),
    'agentos.showProviders': () => steering.providers(),
    'agentos.check': () => steering.check(),
    'agentos.approve': answer('approved', 'once'),
    'agentos.approveLine': answer('approved', 'line'),
    'agentos.approvePrefix': answer('approved', 'prefix'),
    'agentos.approveFolder': answer('approved', 'folder'),
    'agentos.reject': answer('rejected', 'once'),
    'agentos.rejectWithComment': (node: ApprovalNode) => steering.comment(decision(node, 'rejected', 'once')),
    'agentos.acceptFile': review.onFile('accept'),
    'agentos.rejectFile': review.onFile('reject'),
    'agentos.askForFile': (given?: unknown) => review.askForFile(given),
    'agentos.acceptHunk': review.onHunk('accept'),
    'agentos.rejectHunk': review.onHunk('reject'),
    'agentos.askForHunk': (given?: unknown) => review.askForHunk(given),
    'agentos.showHunk': review.onHunk('show'),
    'agentos.refresh': () => sessions.refresh(),
    'agentos.installServer': () => server.install(),
    'agentos.restart': () => server.restart(),
    'agentos.showLog': () => server.showLog(),
    [ASK_COMMENT]: (argument: DecideApproval | AnswerHunk, command?: 'agentos.hunk.ask' | 'agentos.file.ask') =>
      command === undefined
        ? steering.comment(argument as DecideApproval)
        : review.askForChange(argument as AnswerHunk, command),
    [ASK_REASON]: (argument: OneFinding) => steering.waive(argument),
  };
  return vscode.Disposable.from(
    review,
    ...Object.entries(handlers).map(([name, handler]) =>
      vscode.commands.registerCommand(name, WITHOUT_ROW.has(name) ? handler : guarded(handler)),
    ),
  );
}

function gone(sessions: Sessions): void {
  void vscode.window.showInformationMessage('This row has just changed, so nothing was done. Look at it again.');
  void sessions.refresh();
}

function decision(
  { session, question }: ApprovalNode,
  outcome: DecideApproval['outcome'],
  scope: NonNullable<DecideApproval['scope']>,
): DecideApproval {
  return { session, approval: question.approval, digest: question.digest, outcome, scope };
}

class Steering {
  constructor(
    private readonly server: Server,
    private readonly sessions: Sessions,
  ) {}

  /** Makes a command of an act on a session: the one in the tree, else the one that is shown, else one that is picked. */
  onSession(act: (session: string) => unknown): (node?: OneSession) => Promise<void> {
    return async (node) => {
      const session = node?.session ?? changes.shown() ?? (await this.pick());
      if (session !== undefined) {
        await act(session);
      }
    };
  }

  async start(): Promise<void> {
    const task = await vscode.window.showInputBox({
      title: 'Start a Session',
      prompt: 'What should the agent do? It works in a git worktree of its own.',
      placeHolder: 'Mend the failing test',
      ignoreFocusOut: true,
    });
    if (task?.trim()) {
      await this.begin(task);
    }
  }

  /** Starts several sessions on one task, to be compared. */
  async startSeveral(): Promise<void> {
    const title = 'Start Several Sessions';
    const task = await vscode.window.showInputBox({
      title,
      prompt: 'What should each agent do? Each works in a git worktree of its own.',
      ignoreFocusOut: true,
    });
    const n = task?.trim() ? await vscode.window.showQuickPick(['2', '3', '4', '5', '6', '7', '8'], { title: 'How Many?' }) : undefined;
    if (task !== undefined && n !== undefined) {
      await this.begin(task, Number(n));
    }
  }

  async startFromSelection(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined || editor.selection.isEmpty) {
      void vscode.window.showInformationMessage('Select the code first.');
      return;
    }
    const { document, selection } = editor;
    const task = await vscode.window.showInputBox({
      title: 'Let an Agent Do This',
      prompt: 'What should be done with the selected code?',
      ignoreFocusOut: true,
    });
    if (task?.trim()) {
      const name = vscode.workspace.asRelativePath(document.uri, false);
      const where = `${name}, lines ${selection.start.line + 1} to ${selection.end.line + 1}`;
      await this.begin(`${task}\n\nThis is about ${where}:\n\n${document.getText(selection)}`);
    }
  }

  /** Opens the page of the first session that waits for an answer. */
  async next(): Promise<void> {
    await this.sessions.refresh();
    const row = this.sessions.rows.find((one) => one.group === 'needs-you');
    if (row === undefined) {
      void vscode.window.showInformationMessage('Nothing waits for you.');
    } else {
      await this.server.ask('agentos.session.open', { session: row.session });
    }
  }

  async trace(session: string): Promise<void> {
    // The rendered page; the server gives the address of the source.
    await vscode.commands.executeCommand('markdown.showPreview', vscode.Uri.parse(`agentos://${session}/trace.md`));
  }

  /** Looks at the language models, then shows what was found out, rendered. */
  async providers(): Promise<void> {
    const found = await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: 'Looking at language models', cancellable: true },
      (_, cancel) => this.server.ask('agentos.provider.diagnose', {}, cancel),
    );
    if (found !== undefined) {
      await vscode.commands.executeCommand('markdown.showPreview', vscode.Uri.parse(found.document, true));
    }
  }

  async changes(session: string): Promise<void> {
    const answer = await this.server.ask('agentos.session.files', { session });
    if (answer !== undefined) {
      await changes.openAll(session, answer.files, answer.total);
    }
  }

  async prompt(session: string): Promise<void> {
    const text = await vscode.window.showInputBox({ title: `Prompt ${session}`, ignoreFocusOut: true });
    if (text?.trim()) {
      await this.server.ask('agentos.session.prompt', { session, text });
    }
  }

  /** Lets the agent ask another model from its next turn on. */
  async model(session: string): Promise<void> {
    const model = await vscode.window.showInputBox({
      title: `Model of ${session}`,
      prompt: 'PROFILE, PROFILE/MODEL, or a model of the first profile of your settings.',
      ignoreFocusOut: true,
    });
    const chosen = model?.trim() ? await this.server.ask('agentos.session.model', { session, model: model.trim() }) : undefined;
    if (chosen !== undefined) {
      void vscode.window.showInformationMessage(`${chosen.session} asks ${chosen.model} from its next turn on.`);
    }
  }

  async check(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    const line = await vscode.window.showInputBox({
      title: 'Check a Command Line',
      prompt: 'It is judged as for an agent, and not run.',
      value: editor?.document.getText(editor.selection) ?? '',
      ignoreFocusOut: true,
    });
    if (!line?.trim()) {
      return;
    }
    const session = this.sessions.rows.find((row) => row.session === changes.shown() && row.group !== 'ended')?.session;
    const argument: Commands['agentos.command.check'][0] = session === undefined ? { line } : { line, session };
    const judged = await this.server.ask('agentos.command.check', argument);
    if (judged !== undefined) {
      const parts = judged.parts.map((part) =>
        [`${part.verdict}: ${part.text}`, ...part.reasons.map((reason) => `    ${reason}`)].join('\n'),
      );
      const detail = parts.join('\n');
      await vscode.window.showInformationMessage(`${judged.verdict}: ${line}`, { modal: true, detail });
    }
  }

  /** Asks for the words that go with an answer, then sends the answer as the server prepared it. */
  async comment(answer: DecideApproval): Promise<void> {
    const comment = await vscode.window.showInputBox({
      title: 'Reject with a Comment',
      prompt: 'What should the agent know?',
      ignoreFocusOut: true,
    });
    if (comment !== undefined) {
      await this.server.ask('agentos.approval.decide', { ...answer, comment });
    }
  }

  /** Asks why a finding may pass, then waives it as the server named it. */
  async waive(finding: OneFinding): Promise<void> {
    const reason = await vscode.window.showInputBox({
      title: 'Let This Finding Pass',
      prompt: 'Why may it pass? The trace keeps the reason.',
      ignoreFocusOut: true,
    });
    if (reason?.trim()) {
      await this.server.ask('agentos.finding.waive', { ...finding, reason });
    }
  }

  private async begin(task: string, n = 1): Promise<void> {
    const folder = await workspaceFolder();
    const settings = vscode.workspace.getConfiguration('agentos');
    const [agent, script, model] = ['agent', 'script', 'model'].map((name) => settings.get(name, '').trim());
    if (folder === undefined) {
      void vscode.window.showErrorMessage('Open a folder of a git repository first.');
      return;
    }
    const started = await this.server.ask('agentos.session.start', {
      task,
      workspace: folder.uri.toString(),
      ...(agent && { agent }),
      ...(script && { script }),
      ...(model && { model }),
      ...(n > 1 && { n }),
    });
    if (started !== undefined && n > 1) {
      await vscode.window.showTextDocument(vscode.Uri.parse(started.page, true));
    } else if (started !== undefined) {
      await this.server.ask('agentos.session.open', { session: started.session });
    }
  }

  private async pick(): Promise<string | undefined> {
    const items = this.sessions.rows.map((row) => ({
      label: row.task.trim().split('\n', 1)[0] || row.session,
      description: `${row.status}, ${row.session}`,
      session: row.session,
    }));
    if (items.length === 0) {
      void vscode.window.showInformationMessage('There is no session yet.');
      return undefined;
    }
    return (await vscode.window.showQuickPick(items, { title: 'Which Session?' }))?.session;
  }
}

/** The folder that the person works in: that of the file in front, the only one, or one that is picked. */
async function workspaceFolder(): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  const file = vscode.window.activeTextEditor?.document.uri;
  const current = file && vscode.workspace.getWorkspaceFolder(file);
  return current ?? (folders.length > 1 ? vscode.window.showWorkspaceFolderPick() : folders[0]);
}
