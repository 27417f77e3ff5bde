"""Everything that can happen to a session: one closed, versioned union. These types are a promise to the past.

An event's `type` and fields never change their meaning. A new field has a default; what cannot be had by a default is
a new event. `tests/domain/golden_events` keeps one of each, for every version ever released.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from agentos_lsp.domain import policy_events, review_events, tree_events
from agentos_lsp.domain.approval import Outcome, Scope
from agentos_lsp.domain.confinement import ConfinementChosen
from agentos_lsp.domain.event import Event
from agentos_lsp.domain.ids import ApprovalId, BlobId, CallId, CommitId, SessionId, TurnId
from agentos_lsp.domain.model_events import (
    ContextCompacted,
    ContextLost,
    LoopFound,
    ModelChosen,
    ModelReplied,
    ModelTold,
    TurnSteered,
)
from agentos_lsp.domain.network import NetworkEvent
from agentos_lsp.domain.policy_events import (
    CheckFinished,
    CheckStarted,
    CommitsFound,
    CommitsSetAside,
    FindingWaived,
    PolicyLoaded,
)
from agentos_lsp.domain.tools import Record, ToolRequest

FindingRecord = policy_events.FindingRecord

VerdictWord = Literal["allowed", "reviewed", "blocked"]


class ReasonRecord(Record):
    """Why a command got its verdict, as it was told at the time."""

    rule: str
    verdict: VerdictWord
    text: str
    instead: str = ""


class PartRecord(Record):
    """One simple command of a line, with its verdict; None stands for a word that could not be known."""

    text: str
    words: tuple[str | None, ...]
    verdict: VerdictWord
    reasons: tuple[ReasonRecord, ...]


class SessionStarted(Event):
    """A person asked for a session."""

    type: Literal["session.started"] = "session.started"
    task: str
    agent: str
    script: str | None = None
    model: str | None = None
    repository: str
    base_branch: str | None
    base_commit: CommitId
    by: str
    group: SessionId | None = None


class SessionAdopted(Event):
    """A person took up the worktree that a session left behind whose log is gone; begins a new log."""

    type: Literal["session.adopted"] = "session.adopted"
    task: str
    agent: str
    script: str | None = None
    model: str | None = None
    repository: str
    base_branch: str | None
    base_commit: CommitId
    folder: str
    admin: str
    branch: str
    scratch: str
    by: str


class WorktreeCreated(Event):
    """The worktree is on disk, checked out on the session's branch, and locked."""

    type: Literal["worktree.created"] = "worktree.created"
    folder: str
    admin: str
    branch: str
    commit: CommitId
    scratch: str


class WorktreeRemoved(Event):
    """Worktree and, unless `kept_branch`, branch are gone."""

    type: Literal["worktree.removed"] = "worktree.removed"
    folder: str
    kept_branch: bool = False


class TurnStarted(Event):
    """The agent began to work on a prompt."""

    type: Literal["turn.started"] = "turn.started"
    turn: TurnId
    prompt: str
    by: str


class TurnFinished(Event):
    """The agent's work on a prompt ended."""

    type: Literal["turn.finished"] = "turn.finished"
    turn: TurnId
    reason: Literal["done", "stopped", "failed"]
    summary: str = ""


class PromptQueued(Event):
    """A person said something while a turn was under way; it starts the next one."""

    type: Literal["prompt.queued"] = "prompt.queued"
    prompt: str
    by: str


class AgentMessage(Event):
    """The agent spoke."""

    type: Literal["agent.message"] = "agent.message"
    turn: TurnId
    text: str


class ToolCallRequested(Event):
    """The agent asked for a tool."""

    type: Literal["tool_call.requested"] = "tool_call.requested"
    call: CallId
    turn: TurnId
    request: ToolRequest


class ToolCallRefused(Event):
    """A tool call was not carried out; `message` is what the agent was told."""

    type: Literal["tool_call.refused"] = "tool_call.refused"
    call: CallId
    why: Literal["blocked", "rejected", "confined", "policy", "invalid", "withdrawn"]
    message: str
    instead: str = ""


class CommandClassified(Event):
    """A line was understood and judged, before anything started."""

    type: Literal["command.classified"] = "command.classified"
    call: CallId
    line: str
    verdict: VerdictWord
    reasons: tuple[ReasonRecord, ...]
    parts: tuple[PartRecord, ...] = ()
    prefix: tuple[str, ...] | None = None


class ApprovalRequested(Event):
    """A person must decide before the call goes on."""

    type: Literal["approval.requested"] = "approval.requested"
    approval: ApprovalId
    call: CallId
    digest: str
    line: str
    cwd: str
    head: str
    prefix: tuple[str, ...] | None = None


class ApprovalDecided(Event):
    """A person decided; the first answer is the only one."""

    type: Literal["approval.decided"] = "approval.decided"
    approval: ApprovalId
    outcome: Outcome
    scope: Scope
    by: str
    comment: str = ""


class ApprovalWithdrawn(Event):
    """The question no longer stands: its turn ended, or it is asked anew after a restart."""

    type: Literal["approval.withdrawn"] = "approval.withdrawn"
    approval: ApprovalId
    reason: str


class AllowlistExtended(Event):
    """The session's allowlist grew by an exact line in one folder, or by a prefix in one folder or everywhere."""

    type: Literal["allowlist.extended"] = "allowlist.extended"
    approval: ApprovalId | None
    line: str | None = None
    cwd: str = ""
    prefix: tuple[str, ...] | None = None


class CommandStarted(Event):
    """The line is about to start, byte for byte as cleared; without an end, its outcome is unknown."""

    type: Literal["command.started"] = "command.started"
    call: CallId
    line: str
    cwd: str
    cleared_by: str
    background: str | None = None


class CommandOutput(Event):
    """A command printed something; `text` is decoded for reading, the bytes are in the blob of its end."""

    type: Literal["command.output"] = "command.output"
    call: CallId
    text: str


class CommandFinished(Event):
    """A command ended. `output` holds all that it printed, `output_bytes` long."""

    type: Literal["command.finished"] = "command.finished"
    call: CallId
    exit_code: int | None
    signal: int | None
    ended_by: Literal["itself", "time limit", "disk limit", "stop", "shutdown"]
    duration_s: float
    output: BlobId | None
    output_bytes: int
    truncated: bool = False


class FileRead(Event):
    """The agent read a file or listed a folder."""

    type: Literal["file.read"] = "file.read"
    call: CallId
    path: str
    size_bytes: int


class FileWriteAttempted(Event):
    """A write, edit, delete or move is about to happen; `before` keeps what would be lost."""

    type: Literal["file.write_attempted"] = "file.write_attempted"
    call: CallId
    path: str
    operation: Literal["write", "edit", "delete", "move"]
    before: BlobId | None = None


class FileWritten(Event):
    """A file was written, edited, deleted or moved in the worktree."""

    type: Literal["file.written"] = "file.written"
    call: CallId
    path: str
    operation: Literal["write", "edit", "delete", "move"]
    to: str | None = None
    size_bytes: int | None = None


class FileRefused(Event):
    """A path led where the agent may not go; nothing was touched."""

    type: Literal["file.refused"] = "file.refused"
    call: CallId
    path: str
    operation: Literal["read", "write", "edit", "delete", "move"]
    reason: str
    message: str


class DiffInspected(Event):
    """The change was checked against the workspace policy."""

    type: Literal["diff.inspected"] = "diff.inspected"
    call: CallId | None
    files: int
    findings: tuple[FindingRecord, ...]


class CommitAttempted(Event):
    """The agent asked for a commit."""

    type: Literal["commit.attempted"] = "commit.attempted"
    call: CallId
    message: str
    files: int


class CommitMade(Event):
    """The session's branch moved to a new commit."""

    type: Literal["commit.made"] = "commit.made"
    call: CallId
    commit: CommitId
    message: str
    files: tuple[str, ...]


class CommitRefused(Event):
    """The inspector refused the commit; the worktree is as it was."""

    type: Literal["commit.refused"] = "commit.refused"
    call: CallId
    findings: tuple[FindingRecord, ...]
    message: str


MergeStrategy = Literal["fast-forward", "merge", "squash", "rebase"]


class MergeAttempted(Event):
    """A person asked to merge; `target_commit` is where the branch stood."""

    type: Literal["merge.attempted"] = "merge.attempted"
    into: str
    strategy: MergeStrategy
    source_commit: CommitId
    target_commit: CommitId
    by: str


class MergeMade(Event):
    """The branch holds the session's work."""

    type: Literal["merge.made"] = "merge.made"
    into: str
    commit: CommitId
    files: tuple[str, ...]


class MergeConflicted(Event):
    """The merge would conflict; both sides are untouched."""

    type: Literal["merge.conflicted"] = "merge.conflicted"
    into: str
    paths: tuple[str, ...]


class MergeRefused(Event):
    """The merge could not be made without overwriting something; nothing was changed."""

    type: Literal["merge.refused"] = "merge.refused"
    into: str
    reason: str
    paths: tuple[str, ...] = ()


class DiscardAttempted(Event):
    """A person asked to discard the session, having been shown what is lost."""

    type: Literal["discard.attempted"] = "discard.attempted"
    commits: tuple[CommitId, ...]
    uncommitted: tuple[str, ...]
    by: str


class SessionDiscarded(Event):
    """The session ended without a merge."""

    type: Literal["session.discarded"] = "session.discarded"


class SessionPaused(Event):
    """A person paused the session: no further tool call starts until it is resumed."""

    type: Literal["session.paused"] = "session.paused"
    by: str


class SessionStopped(Event):
    """A person stopped the running turn; the session stays."""

    type: Literal["session.stopped"] = "session.stopped"
    by: str


class SessionInterrupted(Event):
    """The runtime ended while the session was live, found at its next start."""

    type: Literal["session.interrupted"] = "session.interrupted"
    during: str


class SessionResumed(Event):
    """The session goes on after a pause or an interruption."""

    type: Literal["session.resumed"] = "session.resumed"
    by: str


class FailureRecorded(Event):
    """Something went wrong that a person should know; `hint` says what to do."""

    type: Literal["failure.recorded"] = "failure.recorded"
    where: str
    message: str
    hint: str = ""


AnyEvent = (
    SessionStarted
    | SessionAdopted
    | WorktreeCreated
    | WorktreeRemoved
    | TurnStarted
    | TurnFinished
    | PromptQueued
    | AgentMessage
    | ToolCallRequested
    | ToolCallRefused
    | CommandClassified
    | ApprovalRequested
    | ApprovalDecided
    | ApprovalWithdrawn
    | AllowlistExtended
    | CommandStarted
    | CommandOutput
    | CommandFinished
    | FileRead
    | FileWriteAttempted
    | FileWritten
    | FileRefused
    | DiffInspected
    | CommitAttempted
    | CommitMade
    | CommitRefused
    | CheckStarted
    | CheckFinished
    | PolicyLoaded
    | FindingWaived
    | CommitsFound
    | CommitsSetAside
    | MergeAttempted
    | MergeMade
    | MergeConflicted
    | MergeRefused
    | DiscardAttempted
    | SessionDiscarded
    | SessionPaused
    | SessionStopped
    | SessionInterrupted
    | SessionResumed
    | FailureRecorded
    | review_events.ReviewEvent
    | tree_events.TreeEvent
    | ModelChosen
    | TurnSteered
    | ModelReplied
    | ModelTold
    | ContextCompacted
    | ContextLost
    | LoopFound
    | ConfinementChosen
    | NetworkEvent
)

_ADAPTER: TypeAdapter[AnyEvent] = TypeAdapter(Annotated[AnyEvent, Field(discriminator="type")])

EVENT_TYPES: dict[str, type[Event]] = {kind.model_fields["type"].default: kind for kind in AnyEvent.__args__}
"""Every event by its `type`."""


def dump(event: AnyEvent) -> str:
    """Returns an event as one line of JSON, its fields in the order of their declaration."""
    return event.model_dump_json()


def load(text: str | bytes) -> AnyEvent:
    """Reads an event of any version.

    Raises:
        pydantic.ValidationError: The text is not an event that was ever written.
    """
    return _ADAPTER.validate_json(text)
