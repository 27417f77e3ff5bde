/** The sessions as the server last told them; asked for again whenever something happened. */

import * as vscode from 'vscode';
import { type Row } from './protocol';
import { type Server } from './server';

/** Events that come by the hundred and change nothing that is shown here. */
const QUIET = new Set(['command.output']);

/** Events within this time are answered together. */
const DELAY_MS = 80;

export class Sessions implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly subscriptions: vscode.Disposable[] = [];
  private timer: NodeJS.Timeout | undefined;
  private asking: Promise<void> | undefined;
  private stale = false;

  /** The rows, or something that belongs to one of them, may be different now. */
  readonly onChange = this.changed.event;

  rows: readonly Row[] = [];

  constructor(private readonly server: Server) {
    this.subscriptions.push(
      server.onEvent((event) => {
        if (!QUIET.has(event.type)) {
          this.soon();
        }
      }),
      server.onCondition((condition) => {
        if (condition === 'connected') {
          void this.refresh();
        } else {
          this.take([]);
        }
      }),
    );
  }

  /** How many answers a person owes. */
  get waiting(): number {
    return this.rows.reduce((sum, row) => sum + row.waiting, 0);
  }

  /** Asks the server; what is asked for while an answer is under way is asked once more. */
  refresh(): Promise<void> {
    this.stale = true;
    this.asking ??= this.askWhileStale().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  dispose(): void {
    clearTimeout(this.timer);
    vscode.Disposable.from(...this.subscriptions, this.changed).dispose();
  }

  private async askWhileStale(): Promise<void> {
    while (this.stale) {
      this.stale = false;
      const answer = await this.server.look('agentos.session.list', {});
      if (answer !== undefined) {
        this.take(answer.sessions);
      }
    }
  }

  private soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.refresh();
    }, DELAY_MS);
  }

  private take(rows: readonly Row[]): void {
    this.rows = rows;
    void vscode.commands.executeCommand('setContext', 'agentos.isEmpty', rows.length === 0);
    this.changed.fire();
  }
}
