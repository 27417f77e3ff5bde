/** The checkpoints of a session's files: taking one, comparing two, and bringing the files back to one. */

import * as vscode from 'vscode';
import { type Checkpoint } from './protocol';
import { type Server } from './server';

/** A row to pick; without a number it stands for the files as they are now. */
type Row = vscode.QuickPickItem & { number?: number };

export async function take(server: Server, session: string): Promise<void> {
  const note = await vscode.window.showInputBox({
    title: `Take a Checkpoint of ${session}`,
    prompt: 'A note for it; none is fine.',
    ignoreFocusOut: true,
  });
  const taken = note === undefined ? undefined : await server.ask('agentos.checkpoint.take', { session, note });
  if (taken !== undefined) {
    const words = taken.made ? 'Kept as checkpoint' : 'Nothing changed since checkpoint';
    void vscode.window.showInformationMessage(`${words} ${taken.checkpoint}.`);
  }
}

/** Opens what differs between two checkpoints, or between one and now. */
export async function compare(server: Server, session: string): Promise<void> {
  const rows = await list(server, session);
  const older = rows && (await vscode.window.showQuickPick(rows, { title: `Changes of ${session} since Which Checkpoint?` }));
  if (rows === undefined || older?.number === undefined) {
    return;
  }
  const first = older.number;
  const later: Row[] = [{ label: 'Now' }, ...rows.filter(({ number }) => number !== undefined && number > first)];
  const newer = later.length > 1 ? await vscode.window.showQuickPick(later, { title: 'Up to Which Checkpoint?' }) : later[0];
  if (newer !== undefined) {
    const upTo = newer.number === undefined ? {} : { newer: newer.number };
    await server.ask('agentos.checkpoint.diff', { session, older: first, ...upTo });
  }
}

/** Brings the files back to a checkpoint; what they replace becomes one too. */
export async function restore(server: Server, session: string): Promise<void> {
  const rows = await list(server, session);
  const chosen = rows && (await vscode.window.showQuickPick(rows, { title: `Restore Which Checkpoint of ${session}?` }));
  if (chosen?.number === undefined) {
    return;
  }
  const done = await server.ask('agentos.checkpoint.restore', { session, checkpoint: chosen.number });
  if (done !== undefined) {
    const left = done.kept.map((file) => `left as it is: ${file}`);
    const words = `Restored ${done.files} ${done.files === 1 ? 'file' : 'files'}; checkpoint ${done.undo} brings back what they were.`;
    void vscode.window.showInformationMessage([words, ...left].join('\n'));
  }
}

/** The newest first, the session's beginning last. */
async function list(server: Server, session: string): Promise<Row[] | undefined> {
  const told = await server.ask('agentos.checkpoint.list', { session });
  const rows = told?.checkpoints.map(rowOf).reverse();
  return rows && [...rows, { label: '0', description: 'the beginning', number: 0 }];
}

function rowOf({ checkpoint, at, occasion, note }: Checkpoint): Row {
  const when = new Date(at).toLocaleString();
  return { label: String(checkpoint), description: [note, occasion].filter(Boolean).join(', '), detail: when, number: checkpoint };
}
