/** The connection to the server: starts it, asks it, and says plainly what is wrong when that cannot be done. */

import * as vscode from 'vscode';
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  TextDocumentContentRequest,
} from 'vscode-languageclient/node';
import { OLDEST, PROGRAM, find, isOlder } from './executable';
import { PrivateCopy } from './private_copy';
import { type Commands, EVENT_NOTIFICATION, type Event, type InitializationOptions, type Permission } from './protocol';

export type Condition = 'starting' | 'connected' | 'missing' | 'old' | 'stopped';

const CONTENT = TextDocumentContentRequest.method;

const STOP_TIMEOUT_MS = 5000;
const SETTLED_MS = 500;

const INSTALL = 'pipx install --force .';

export class Server implements vscode.Disposable {
  private readonly told = new vscode.EventEmitter<Event>();
  private readonly turned = new vscode.EventEmitter<Condition>();
  private readonly log = vscode.window.createOutputChannel('AgentOS', { log: true });
  /**
   * A document that was filled anew has carried its marks to wrong lines; they are put where the server says. VS Code may
   * apply two fillings at once, one on top of the other: once it is quiet, the document is held against the server's again.
   */
  private readonly marks = vscode.workspace.onDidChangeTextDocument(({ document: { uri } }) => {
    if (uri.scheme !== 'agentos') {
      return;
    }
    const marks = this.client?.diagnostics?.get(uri);
    if (marks !== undefined) {
      this.client?.diagnostics?.set(uri, marks);
    }
    clearTimeout(this.settling.get(uri.toString()));
    this.settling.set(uri.toString(), setTimeout(() => this.settle(uri), SETTLED_MS));
  });
  private readonly settling = new Map<string, NodeJS.Timeout>();
  /** What changed while a document was being opened was told to nobody, so a document that is open is read again. */
  private readonly opened = vscode.workspace.onDidOpenTextDocument(({ uri }) => this.readAgain(uri));
  private readonly copy: PrivateCopy;
  private client: LanguageClient | undefined;
  private turn: Promise<void> = Promise.resolve();

  /** Every event of every session. */
  readonly onEvent = this.told.event;

  /** Whether the server can be asked, each time that changes. */
  readonly onCondition = this.turned.event;

  condition: Condition = 'stopped';

  constructor(context: vscode.ExtensionContext) {
    this.copy = new PrivateCopy(context, (line) => this.log.info(line));
  }

  /** Starts the server; a second call starts it anew, with the settings and the trust as they are then. */
  restart(): Promise<void> {
    this.turn = this.turn.then(() => this.stop()).then(() => this.start());
    return this.turn;
  }

  /** Carries out a command; if that fails the person is told why, and the answer is undefined, as when they cancel it. */
  async ask<Name extends keyof Commands>(
    command: Name,
    argument: Commands[Name][0],
    cancel?: vscode.CancellationToken,
  ): Promise<Commands[Name][1] | undefined> {
    await this.turn;
    if (this.client === undefined) {
      this.explain();
      return undefined;
    }
    return this.send(this.client, command, argument, cancel) as Promise<Commands[Name][1] | undefined>;
  }

  /** The same for what the person did not ask for: nothing is said about a failure. */
  async look<Name extends keyof Commands>(
    command: Name,
    argument: Commands[Name][0],
  ): Promise<Commands[Name][1] | undefined> {
    try {
      return await this.client?.sendRequest('workspace/executeCommand', { command, arguments: [argument] });
    } catch (error) {
      this.log.warn(`${command}: ${words(error)}`);
      return undefined;
    }
  }

  /** Offers to install a private copy of the server; if that is there then, it is started. */
  async install(): Promise<void> {
    if (await this.copy.install()) {
      await this.restart();
    }
  }

  showLog(): void {
    this.log.show();
  }

  async dispose(): Promise<void> {
    this.copy.dispose();
    await this.turn.then(() => this.stop());
    this.marks.dispose();
    this.settling.forEach((timer) => clearTimeout(timer));
    this.opened.dispose();
    this.told.dispose();
    this.turned.dispose();
    this.log.dispose();
  }

  private async send(
    client: LanguageClient,
    command: string,
    argument: unknown,
    cancel?: vscode.CancellationToken,
  ): Promise<unknown> {
    const params = { command, arguments: [argument ?? {}] };
    try {
      // A token that is undefined would be sent, as one more parameter.
      return cancel === undefined
        ? await client.sendRequest('workspace/executeCommand', params)
        : await client.sendRequest('workspace/executeCommand', params, cancel);
    } catch (error) {
      if (cancel?.isCancellationRequested) {
        return undefined;
      }
      void vscode.window.showErrorMessage(words(error));
      return undefined;
    }
  }

  private async start(): Promise<void> {
    const named = find(vscode.workspace.getConfiguration('agentos').get('path', ''));
    const copy = this.copy.program();
    const old = named && (await this.begin(named, copy !== undefined));
    if (copy !== undefined && (named === undefined || old)) {
      this.log.info(`${old ? `${named} is too old` : `${PROGRAM} is not named and not on PATH`}: the private copy is used`);
      await this.begin(copy, false);
    }
    if (named === undefined && copy === undefined) {
      this.become('missing');
      this.explain();
    }
  }

  /** Starts a program; returns whether it is too old, which is said unless there is another to try. */
  private async begin(program: string, another: boolean): Promise<boolean> {
    const settings = vscode.workspace.getConfiguration('agentos');
    this.become('starting');
    const client = this.make(program, settings.get<string[]>('arguments', []), {
      permissions: settings.get<Permission[]>('permissions', []),
      trusted: vscode.workspace.isTrusted,
      virtualDocuments: true,
      events: true,
      askText: true,
      bell: settings.get('bell', true),
    });
    try {
      await client.start();
    } catch (error) {
      this.become('stopped');
      await dismiss(client);
      this.offerLog(`${program} did not start: ${words(error)}`);
      return false;
    }
    const version = client.initializeResult?.serverInfo?.version ?? '0';
    if (isOlder(version, OLDEST)) {
      await dismiss(client);
      if (!another) {
        this.become('old');
        this.explain(version);
      }
      return true;
    }
    this.client = client;
    client.onDidChangeState(({ newState }) => {
      if (this.client === client) {
        this.become(newState === State.Running ? 'connected' : newState === State.Starting ? 'starting' : 'stopped');
      }
    });
    this.become('connected');
    for (const { uri } of vscode.workspace.textDocuments) {
      this.readAgain(uri);
    }
    return false;
  }

  private settle(uri: vscode.Uri): void {
    this.settling.delete(uri.toString());
    this.readAgain(uri);
  }

  private readAgain(uri: vscode.Uri): void {
    for (const { scheme, onDidChangeEmitter } of this.client?.getFeature(CONTENT)?.getProviders() ?? []) {
      if (scheme === uri.scheme) {
        onDidChangeEmitter.fire(uri);
      }
    }
  }

  private make(program: string, args: string[], options: InitializationOptions): LanguageClient {
    const client: LanguageClient = new LanguageClient(
      'agentos',
      'AgentOS',
      { command: program, args },
      {
        documentSelector: [{ scheme: 'agentos' }, { scheme: 'file' }],
        initializationOptions: options,
        outputChannel: this.log,
        revealOutputChannelOn: RevealOutputChannelOn.Never,
        initializationFailedHandler: () => false,
        errorHandler: {
          error: () => ({ action: ErrorAction.Continue, handled: true }),
          // A server that never ran is explained by `start`, once.
          closed: () => (this.client === client ? usual.closed() : { action: CloseAction.DoNotRestart, handled: true }),
        },
        middleware: {
          executeCommand: (command, values) => this.send(client, command, values[0]),
        },
      },
    );
    const usual = client.createDefaultErrorHandler();
    client.onNotification(EVENT_NOTIFICATION, (event: Event) => this.told.fire(event));
    return client;
  }

  private async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client !== undefined) {
      await dismiss(client);
      this.become('stopped');
    }
  }

  private become(condition: Condition): void {
    this.condition = condition;
    void vscode.commands.executeCommand('setContext', 'agentos.condition', condition);
    this.turned.fire(condition);
  }

  /** Says in one message what is to be done. */
  private explain(version = ''): void {
    const command = `In a clone of its repository, run: ${INSTALL}`;
    switch (this.condition) {
      case 'missing':
        this.offer(`${PROGRAM} was not found in the setting agentos.path or on PATH. ${command}`);
        break;
      case 'old':
        this.offer(`${PROGRAM} ${version} is too old: ${OLDEST} or newer is needed. ${command}`);
        break;
      default:
        this.offerLog('The server is not running.');
    }
  }

  private offer(message: string): void {
    const answers = ['Install a Private Copy', 'Copy the Command', 'Open Settings'];
    void vscode.window.showErrorMessage(message, ...answers).then(async (chosen) => {
      if (chosen === 'Install a Private Copy') {
        await this.install();
      } else if (chosen === 'Copy the Command') {
        await vscode.env.clipboard.writeText(INSTALL);
      } else if (chosen === 'Open Settings') {
        await vscode.commands.executeCommand('workbench.action.openSettings', 'agentos.path');
      }
    });
  }

  private offerLog(message: string): void {
    void vscode.window.showErrorMessage(message, 'Show the Log', 'Restart').then(async (chosen) => {
      if (chosen === 'Show the Log') {
        this.showLog();
      } else if (chosen === 'Restart') {
        await this.restart();
      }
    });
  }
}

async function dismiss(client: LanguageClient): Promise<void> {
  try {
    await client.dispose(STOP_TIMEOUT_MS);
  } catch {
    // It is gone already, or it never came up.
  }
}

/** An error of the server with what to do about it. */
function words(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const data: unknown = error instanceof Error && 'data' in error ? error.data : undefined;
  const hint: unknown = typeof data === 'object' && data !== null && 'hint' in data ? data.hint : undefined;
  return typeof hint === 'string' ? `${message} ${hint}` : message;
}
