/**
 * What the server offers: the mirror of `agentos_lsp/server/protocol.py`, which says what each name means.
 * `tests/test_vscode.py` compares the two, so this file holds nothing else.
 */

export type Permission = 'observe' | 'steer' | 'approve' | 'merge';

export interface InitializationOptions {
  permissions?: Permission[];
  trusted?: boolean;
  virtualDocuments?: boolean;
  events?: boolean;
  askText?: boolean;
  bell?: boolean;
  stream?: boolean;
  files?: boolean;
  agent?: string;
  script?: string;
  model?: string;
}

export interface StartSession {
  task: string;
  workspace?: string;
  agent?: string;
  script?: string;
  model?: string;
  show?: boolean;
  n?: number;
  models?: string[];
}

export interface Nothing {}

export interface OneSession {
  session: string;
}

export interface PromptSession extends OneSession {
  text: string;
}

export interface ChooseModel extends OneSession {
  model: string;
}

export interface DiagnoseProviders {
  provider?: string;
  latency?: boolean;
}

export interface PullModel {
  provider?: string;
  model?: string;
}

export interface MergeSession extends OneSession {
  strategy?: 'fast-forward' | 'merge' | 'squash' | 'rebase';
  into?: string;
  message?: string;
  runChecks?: string[];
}

export interface PreviewMerge extends OneSession {
  strategy?: 'fast-forward' | 'merge' | 'squash' | 'rebase';
  into?: string;
}

export interface TakeCheckpoint extends OneSession {
  note?: string;
}

export interface CompareCheckpoints extends OneSession {
  older: number;
  newer?: number;
}

export interface RestoreCheckpoint extends OneSession {
  checkpoint: number;
}

export interface DiscardSession extends OneSession {
  shown?: string;
  confirm?: boolean;
}

export interface CommitSession extends OneSession {
  message?: string;
  confirm?: boolean;
  shown?: string;
}

export interface KeepSession extends OneSession {
  confirm?: boolean;
  shown?: string;
}

export interface OpenConflict extends OneSession {
  path: string;
}

export interface DecideApproval extends OneSession {
  approval: string;
  digest: string;
  outcome: 'approved' | 'rejected';
  scope?: 'once' | 'line' | 'prefix' | 'folder';
  comment?: string;
}

export interface AnswerHunk extends OneSession {
  path: string;
  digest: string;
}

export interface AskForChange extends AnswerHunk {
  comment: string;
}

export interface MarkHunk extends AnswerHunk {
  reviewed?: boolean;
}

export interface Counted {
  counted: boolean;
  message: string;
}

export interface OneOrphan {
  orphan: string;
}

export interface CheckCommand {
  line: string;
  session?: string;
}

export interface OpenDocument {
  document?: 'overview' | 'page' | 'changes' | 'trace';
  session?: string;
}

export interface ShowPolicy {
  workspace?: string;
}

export interface TrustPolicy extends ShowPolicy {
  digest: string;
}

export interface OpenRule extends OneSession {
  rule: string;
}

export interface OneFinding extends OneSession {
  digest: string;
}

export interface WaiveFinding extends OneFinding {
  reason: string;
}

/** Every command with the object that it takes and the one that it answers. */
export interface Commands {
  'agentos.session.start': [StartSession, Started];
  'agentos.session.list': [Nothing, { sessions: Row[] }];
  'agentos.session.show': [OneSession, Shown];
  'agentos.session.files': [OneSession, { files: ChangedFile[]; total: number }];
  'agentos.session.open': [OpenDocument, { uri: string; shown: boolean }];
  'agentos.session.prompt': [PromptSession, Row];
  'agentos.session.model': [ChooseModel, { session: string; model: string }];
  'agentos.session.pause': [OneSession, Row];
  'agentos.session.resume': [OneSession, Row];
  'agentos.session.stop': [OneSession, Row];
  'agentos.session.merge': [MergeSession, Merged | NotMerged];
  'agentos.session.previewMerge': [PreviewMerge, Preview];
  'agentos.session.undoMerge': [OneSession, Undone | NotUndone];
  'agentos.session.discard': [DiscardSession, Losses];
  'agentos.checkpoint.take': [TakeCheckpoint, { checkpoint: number; made: boolean }];
  'agentos.checkpoint.list': [OneSession, { checkpoints: Checkpoint[] }];
  'agentos.checkpoint.diff': [CompareCheckpoints, { uri: string; shown: boolean }];
  'agentos.checkpoint.restore': [RestoreCheckpoint, { undo: number; files: number; kept: string[] }];
  'agentos.session.keep': [KeepSession, { sessions: LossesOfOne[]; shown: string }];
  'agentos.session.commit': [CommitSession, Committed | NotCommitted];
  'agentos.conflict.open': [OpenConflict, { base: string | null; ours: string | null; theirs: string | null }];
  'agentos.approval.decide': [DecideApproval, { counted: boolean; message: string }];
  'agentos.hunk.accept': [AnswerHunk, Counted];
  'agentos.hunk.reject': [AnswerHunk, Counted];
  'agentos.hunk.ask': [AskForChange, Counted];
  'agentos.hunk.mark': [MarkHunk, Counted];
  'agentos.hunk.show': [AnswerHunk, { uri: string; shown: boolean }];
  'agentos.file.accept': [AnswerHunk, Counted];
  'agentos.file.reject': [AnswerHunk, Counted];
  'agentos.file.ask': [AskForChange, Counted];
  'agentos.file.mark': [MarkHunk, Counted];
  'agentos.file.show': [AnswerHunk, { uri: string; shown: boolean }];
  'agentos.orphan.list': [Nothing, { orphans: Orphan[] }];
  'agentos.orphan.recover': [OneOrphan, Row];
  'agentos.orphan.remove': [OneOrphan, { removed: boolean }];
  'agentos.provider.diagnose': [DiagnoseProviders, { document: string }];
  'agentos.provider.pull': [PullModel, { model: string; bytes: number }];
  'agentos.command.check': [CheckCommand, Judged];
  'agentos.policy.show': [ShowPolicy, Policy];
  'agentos.policy.trust': [TrustPolicy, Policy];
  'agentos.policy.untrust': [ShowPolicy, Policy];
  'agentos.policy.open': [OpenRule, { uri: string; shown: boolean }];
  'agentos.finding.waive': [WaiveFinding, { waived: boolean }];
  'agentos.finding.mend': [OneFinding, { asked: boolean }];
}

export const EVENT_NOTIFICATION = 'agentos/event';

export const STREAM_NOTIFICATION = 'agentos/stream';

export const ASK_COMMENT = 'agentos.client.askComment';

export const ASK_REASON = 'agentos.client.askReason';

// What comes back. The server adds fields freely, so these name only what is used here.

export type Group = 'needs-you' | 'running' | 'to-review' | 'ended';

export interface Event {
  session: string;
  type: string;
}

export interface Started {
  session: string;
  page: string;
}

export interface Row {
  session: string;
  task: string;
  status: string;
  group: Group;
  waiting: number;
}

export interface Question {
  approval: string;
  digest: string;
  line: string;
  cwd: string;
  prefix: string[] | null;
  folder: string | null;
}

export interface Shown extends Row {
  worktree: string | null;
  approvals: Question[];
}

export interface ChangedFile {
  path: string;
  name: string;
  digest: string;
  said: Said;
  status: string;
  base: string | null;
  file: string | null;
  additions: number;
  deletions: number;
  hunks: Hunk[];
  hunkCount: number;
}

export type Said = '' | 'accepted' | 'reviewed' | 'asked';

export interface Hunk {
  digest: string;
  said: Said;
  title: string;
  line: number;
  lines: number;
  baseLine: number;
  baseLines: number;
}

export interface Merged {
  merged: true;
  into: string;
  files: string[];
}

export interface NotMerged {
  merged: false;
  message: string;
  paths: string[];
}

export interface Finding {
  action: string;
  message: string;
}

export interface Committed {
  committed: true;
  files: string[];
}

export interface NotCommitted {
  committed: false;
  kind: 'refused' | 'unconfirmed';
  findings: Finding[];
}

export interface Preview {
  possible: boolean;
  into: string;
  kind: string;
  files: string[];
  conflicts: string[];
  findings: Finding[];
  uncommitted: string[];
  hindrance: string;
  inTheWay: string[];
  checks: { name: string; line: string; standing: 'passed' | 'due' | 'ask' | 'blocked' }[];
}

export interface Undone {
  undone: true;
  into: string;
  branch: string;
}

export interface NotUndone {
  undone: false;
  message: string;
  paths: string[];
}

export interface Checkpoint {
  checkpoint: number;
  at: string;
  occasion: string;
  note: string;
}

export interface LossesOfOne {
  session: string;
  commits: string[];
  uncommitted: string[];
}

export interface Losses {
  discarded: boolean;
  commits: string[];
  uncommitted: string[];
  shown: string;
}

export interface Orphan {
  orphan: string;
  advice: string;
}

export interface Policy {
  file: string;
  digest: string;
}

export interface Judged {
  verdict: string;
  parts: { text: string; verdict: string; reasons: string[] }[];
}
