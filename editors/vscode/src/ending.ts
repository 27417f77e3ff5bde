/** How a session ends: what a merge would do, the merge and its undoing, the one of several that is kept, and a discard. */

import * as vscode from 'vscode';
import { type Finding, type Losses, type MergeSession, type NotMerged, type Preview } from './protocol';
import { type Server } from './server';

type Strategy = NonNullable<MergeSession['strategy']>;

const STRATEGIES: (vscode.QuickPickItem & { strategy: Strategy })[] = [
  { strategy: 'merge', label: 'Merge', description: 'keeps the commits, adds a merge commit' },
  { strategy: 'squash', label: 'Squash', description: 'makes one commit of them' },
  { strategy: 'rebase', label: 'Rebase', description: 'puts the commits on top of the branch, one by one' },
  { strategy: 'fast-forward', label: 'Fast-Forward', description: 'moves the branch, if nothing happened on it' },
];

const RUN = 'Run and Merge';

/** Merges; what is not committed, and checks that nobody has vouched for, the person is asked about first. */
export async function merge(server: Server, session: string): Promise<void> {
  const strategy = await pickStrategy(`Merge ${session}`);
  if (strategy === undefined) {
    return;
  }
  let found = await server.ask('agentos.session.previewMerge', { session, strategy });
  if (found !== undefined && found.uncommitted.length > 0) {
    const files = count(found.uncommitted.length, 'file');
    const question = `Commit ${files} of ${session} first?`;
    const detail = `A merge takes only what is committed. Not committed:\n${found.uncommitted.join('\n')}`;
    const button = `Commit ${files}`;
    const chosen = await vscode.window.showWarningMessage(question, { modal: true, detail }, button);
    const isCommitted = chosen === button && (await commit(server, session));
    found = isCommitted ? await server.ask('agentos.session.previewMerge', { session, strategy }) : undefined;
  }
  if (found === undefined) {
    return;
  }
  const unasked = found.checks.filter((check) => check.standing === 'ask');
  if (unasked.length > 0) {
    const what = unasked.length === 1 ? 'this check' : 'these checks';
    const detail =
      `The repository's policy wants ${what} to pass on the merged files, and you have not trusted that policy:\n` +
      unasked.map((check) => `${check.name}: ${check.line}`).join('\n');
    const chosen = await vscode.window.showWarningMessage(`Run ${what} for the merge?`, { modal: true, detail }, RUN);
    if (chosen !== RUN) {
      return;
    }
  }
  const runChecks = unasked.map((check) => check.line);
  const outcome = await server.ask('agentos.session.merge', { session, strategy, runChecks });
  if (outcome?.merged === true) {
    void vscode.window.showInformationMessage(`Merged ${count(outcome.files.length, 'file')} into ${outcome.into}.`);
  } else if (outcome !== undefined) {
    await tellRefusal(server, session, outcome);
  }
}

/** Commits what stands in the worktree; returns whether it is committed. What the policy asks about is shown first. */
export async function commit(server: Server, session: string): Promise<boolean> {
  let told = await server.ask('agentos.session.commit', { session });
  // Asked again for as long as something is found that was not among what was shown.
  while (told?.committed === false && told.kind === 'unconfirmed') {
    const options = { modal: true, detail: words(told.findings) };
    const chosen = await vscode.window.showWarningMessage('The policy asks about this. Commit it?', options, 'Commit');
    if (chosen !== 'Commit') {
      return false;
    }
    told = await server.ask('agentos.session.commit', { session, confirm: true });
  }
  if (told?.committed === true) {
    void vscode.window.showInformationMessage(`Committed ${count(told.files.length, 'file')} of ${session}.`);
  } else if (told !== undefined) {
    void vscode.window.showWarningMessage(`The policy refuses this commit:\n${words(told.findings)}`);
  }
  return told?.committed === true;
}

/** Shows what a merge would do, and what would stop it. */
export async function preview(server: Server, session: string): Promise<void> {
  const strategy = await pickStrategy(`Preview the Merge of ${session}`);
  const found = strategy && (await server.ask('agentos.session.previewMerge', { session, strategy }));
  if (found !== undefined) {
    const title = `${session} into ${found.into}: ${found.kind}, ${count(found.files.length, 'file')}`;
    const options = { modal: true, detail: described(found) };
    await (found.possible ? vscode.window.showInformationMessage(title, options) : vscode.window.showWarningMessage(title, options));
  }
}

export async function undo(server: Server, session: string): Promise<void> {
  const outcome = await server.ask('agentos.session.undoMerge', { session });
  if (outcome?.undone === true) {
    void vscode.window.showInformationMessage(`${outcome.into} is as before the merge; ${outcome.branch} holds the work.`);
  } else if (outcome !== undefined) {
    await tellRefusal(server, session, outcome);
  }
}

/** Keeps one session and discards the others on its task, once the person has seen what they hold. */
export async function keep(server: Server, session: string): Promise<void> {
  const losses = await server.ask('agentos.session.keep', { session });
  if (losses === undefined) {
    return;
  }
  if (losses.sessions.length === 0) {
    void vscode.window.showInformationMessage(`No other session works on the task of ${session}.`);
    return;
  }
  const detail = losses.sessions.map((one) => [`${one.session}:`, ...lost(one)].join('\n')).join('\n');
  const question = `Keep ${session} and discard ${count(losses.sessions.length, 'other')}?`;
  const chosen = await vscode.window.showWarningMessage(question, { modal: true, detail }, 'Keep');
  if (chosen === 'Keep') {
    await server.ask('agentos.session.keep', { session, confirm: true, shown: losses.shown });
  }
}

export async function discard(server: Server, session: string): Promise<void> {
  const losses = await server.ask('agentos.session.discard', { session });
  if (losses === undefined) {
    return;
  }
  const lines = lost(losses);
  const detail = lines.length > 0 ? `What would be lost:\n${lines.join('\n')}` : 'Nothing would be lost.';
  const chosen = await vscode.window.showWarningMessage(`Discard ${session}?`, { modal: true, detail }, 'Discard');
  if (chosen === 'Discard') {
    await server.ask('agentos.session.discard', { session, confirm: true, shown: losses.shown });
  }
}

async function pickStrategy(title: string): Promise<Strategy | undefined> {
  return (await vscode.window.showQuickPick(STRATEGIES, { title }))?.strategy;
}

async function tellRefusal(server: Server, session: string, outcome: Pick<NotMerged, 'message' | 'paths'>): Promise<void> {
  const message = [outcome.message, ...outcome.paths].join('\n');
  const chosen = await vscode.window.showWarningMessage(message, 'Open the Page');
  if (chosen !== undefined) {
    await server.ask('agentos.session.open', { session });
  }
}

function described(found: Preview): string {
  return [
    ...found.files,
    ...found.conflicts.map((file) => `conflict: ${file}`),
    ...found.uncommitted.map((file) => `not committed: ${file}`),
    ...found.findings.map(worded),
    ...(found.hindrance === '' ? [] : [found.hindrance]),
    ...found.inTheWay.map((file) => `in the way: ${file}`),
    ...found.checks.map((check) => `check, ${check.standing}: ${check.line}`),
  ].join('\n');
}

function words(findings: Finding[]): string {
  return findings.map(worded).join('\n');
}

function worded({ action, message }: Finding): string {
  return `policy, ${action}: ${message}`;
}

function lost({ commits, uncommitted }: Pick<Losses, 'commits' | 'uncommitted'>): string[] {
  return [...commits.map((commit) => `commit ${commit}`), ...uncommitted.map((file) => `uncommitted: ${file}`)];
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
