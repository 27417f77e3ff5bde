"""The fold: events in, `SessionState` out. Everything on any screen is computed from this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, assert_never

from agentos_lsp.domain import (
    approval,
    confinement,
    events,
    ids,
    model_events,
    model_state,
    network,
    policy_events,
    review_events,
    reviewed,
    tree_events,
)
from agentos_lsp.domain.command import allowlist

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from agentos_lsp.domain import tools

Status = Literal[
    "starting",
    "idle",
    "running",
    "waiting",
    "paused",
    "interrupted",
    "merging",
    "merged",
    "undone",
    "discarded",
    "failed",
]
Step = Literal["requested", "waiting", "approved", "running", "background", "done", "refused", "unknown"]

KEPT_CALLS = 300
KEPT_CHECKPOINTS = 100
KEPT_OUTPUT = 2000


@dataclass(frozen=True, slots=True)
class Worktree:
    """Where the session works; `admin` is git's own folder for this worktree, as recorded when it was made."""

    folder: str
    admin: str
    branch: str
    scratch: str


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call so far. `tail` is the end of what a command has printed; `told` is what the agent was told."""

    call: ids.CallId
    turn: ids.TurnId
    at: datetime
    request: tools.ToolRequest
    step: Step = "requested"
    verdict: events.VerdictWord | None = None
    reasons: tuple[events.ReasonRecord, ...] = ()
    parts: tuple[events.PartRecord, ...] = ()
    prefix: tuple[str, ...] | None = None
    approval: ids.ApprovalId | None = None
    name: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    ended_by: str = ""
    duration_s: float = 0.0
    output: ids.BlobId | None = None
    output_bytes: int = 0
    tail: str = ""
    told: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the call still waits for its end."""
        return self.step in {"requested", "waiting", "approved", "running", "background"}


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something that a person said, and who."""

    text: str
    by: str


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a session is after its first `sequence` events; `calls` keeps the last ones and all that are open.

    `lines` are allowed exactly, each with the folder that it was approved in, relative to the worktree. `checked` holds
    each line of a required check with a tree on which it passed.
    """

    session: ids.SessionId = ids.SessionId("")
    sequence: int = 0
    started_at: datetime | None = None
    changed_at: datetime | None = None
    task: str = ""
    agent: str = ""
    script: str | None = None
    model: str | None = None
    repository: str = ""
    base_branch: str | None = None
    base_commit: ids.CommitId = ids.CommitId("")
    group: ids.SessionId | None = None
    """The first of several sessions on one task."""
    head: ids.CommitId = ids.CommitId("")
    worktree: Worktree | None = None
    confinement: confinement.Standing | None = None
    turn: ids.TurnId | None = None
    turn_prompt: str = ""
    queued: tuple[Prompt, ...] = ()
    calls: Mapping[ids.CallId, Call] = field(default_factory=dict)
    questions: Mapping[ids.ApprovalId, approval.Question] = field(default_factory=dict)
    lines: frozenset[tuple[str, str]] = frozenset()
    prefixes: tuple[allowlist.TokenPrefix, ...] = ()
    commits: tuple[ids.CommitId, ...] = ()
    committing: review_events.ReviewCommitAttempted | None = None
    """A person's commit that has a beginning only."""
    findings: tuple[events.FindingRecord, ...] = ()
    inspected_after: ids.CallId | None = None
    """The last call that there was when the findings were made."""
    checked: frozenset[tuple[str, str]] = frozenset()
    policy: policy_events.PolicyLoaded | None = None
    waived: Mapping[str, policy_events.FindingWaived] = field(default_factory=dict)
    aside: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    conflicts_with: str = ""
    conflicted: events.MergeAttempted | None = None
    """The merge that stopped over `conflicts`."""
    notice: str = ""
    paused: bool = False
    interrupted: bool = False
    merging: events.MergeAttempted | None = None
    trial: tree_events.MergeTrialBegan | None = None
    discarding: bool = False
    review: reviewed.Review = field(default_factory=reviewed.Review)
    ended: Literal["", "merged", "undone", "discarded", "failed"] = ""
    merged: events.MergeAttempted | None = None
    """How it was merged, once it is; what undoing the merge goes by."""
    merge_commit: ids.CommitId | None = None
    spent: model_state.Spent = model_state.NOTHING
    checkpoints: tuple[tree_events.CheckpointMade, ...] = ()
    offered: tuple[tree_events.OfferRecord, ...] = ()
    forecasts: Mapping[ids.SessionId, tuple[tree_events.ForecastPlace, ...]] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """The one word that the lists show."""
        if self.ended:
            return self.ended
        if self.merging is not None:
            return "merging"
        if self.questions:
            return "waiting"
        if self.interrupted:
            return "interrupted"
        if self.paused:
            return "paused"
        if self.worktree is None:
            return "starting"
        return "running" if self.turn is not None else "idle"

    @property
    def is_live(self) -> bool:
        """Whether a person has still to merge or discard it."""
        return not self.ended


def _found(state: SessionState, findings: tuple[events.FindingRecord, ...]) -> SessionState:
    return replace(state, findings=findings, inspected_after=next(reversed(list(state.calls)), None))


def fold(log: Iterable[events.AnyEvent], state: SessionState | None = None) -> SessionState:
    """Returns the state after all events of `log`, oldest first, beginning from `state`."""
    current = state or SessionState()
    for event in log:
        current = apply(current, event)
    return current


def apply(state: SessionState, event: events.AnyEvent) -> SessionState:
    """Returns the state after one more event."""
    return replace(_apply(state, event), session=event.session, sequence=event.sequence, changed_at=event.at)


def _apply(state: SessionState, event: events.AnyEvent) -> SessionState:  # noqa: C901, PLR0912, PLR0915 - one arm for each event
    match event:
        case events.SessionStarted() | events.SessionAdopted():
            place = None
            if isinstance(event, events.SessionAdopted):
                place = Worktree(event.folder, event.admin, event.branch, event.scratch)
            return replace(
                state,
                worktree=place,
                started_at=event.at,
                group=event.group if isinstance(event, events.SessionStarted) else None,
                task=event.task,
                agent=event.agent,
                script=event.script,
                model=event.model,
                repository=event.repository,
                base_branch=event.base_branch,
                base_commit=event.base_commit,
                head=event.base_commit,
            )
        case events.WorktreeCreated():
            worktree = Worktree(event.folder, event.admin, event.branch, event.scratch)
            return replace(state, worktree=worktree, head=event.commit)
        case confinement.ConfinementChosen():
            now = confinement.Standing(event.level, event.by, event.missing, event.refusal)
            return replace(state, confinement=now)
        case events.WorktreeRemoved():
            return replace(state, worktree=None)
        case events.TurnStarted():
            queued = state.queued[1:] if state.queued and state.queued[0].text == event.prompt else state.queued
            return replace(
                state, turn=event.turn, turn_prompt=event.prompt, queued=queued, interrupted=False, notice=""
            )
        case events.TurnFinished():
            return replace(state, turn=None, turn_prompt="", notice=event.summary)
        case events.PromptQueued():
            return replace(state, queued=(*state.queued, Prompt(event.prompt, event.by)))
        case events.AgentMessage():
            return replace(state, notice=event.text)
        case events.ToolCallRequested():
            return _with_call(state, Call(event.call, event.turn, event.at, event.request))
        case events.ToolCallRefused():
            return _change(state, event.call, step="refused", told=event.message)
        case events.CommandClassified():
            return _change(
                state,
                event.call,
                verdict=event.verdict,
                reasons=event.reasons,
                parts=event.parts,
                prefix=event.prefix,
            )
        case events.ApprovalRequested():
            question = approval.Question(event.approval, event.call, event.digest, event.line, event.cwd, event.prefix)
            asked = replace(state, questions={**state.questions, event.approval: question})
            return _change(asked, event.call, step="waiting", approval=event.approval)
        case events.ApprovalDecided():
            asked_call = state.questions[event.approval].call if event.approval in state.questions else None
            decided = replace(state, questions=_without(state.questions, event.approval))
            if asked_call is None or event.outcome == "rejected":
                return decided
            return _change(decided, asked_call, step="approved")
        case events.ApprovalWithdrawn():
            asked_call = state.questions[event.approval].call if event.approval in state.questions else None
            withdrawn = replace(state, questions=_without(state.questions, event.approval))
            return withdrawn if asked_call is None else _change(withdrawn, asked_call, step="requested", approval=None)
        case events.AllowlistExtended():
            lines = state.lines if event.line is None else state.lines | {(event.line, event.cwd)}
            prefixes = state.prefixes
            if event.prefix is not None:
                prefixes = tuple(dict.fromkeys((*prefixes, allowlist.TokenPrefix(event.prefix, event.cwd or None))))
            return replace(state, lines=lines, prefixes=prefixes)
        case events.CommandStarted():
            step: Step = "running" if event.background is None else "background"
            return _change(state, event.call, step=step, name=event.background)
        case events.CommandOutput():
            call = state.calls.get(event.call)
            tail = ((call.tail if call else "") + event.text)[-KEPT_OUTPUT:]
            return _change(state, event.call, tail=tail)
        case events.CommandFinished():
            return _change(
                state,
                event.call,
                step="done",
                exit_code=event.exit_code,
                signal=event.signal,
                ended_by=event.ended_by,
                duration_s=event.duration_s,
                output=event.output,
                output_bytes=event.output_bytes,
            )
        case events.FileRead() | events.FileWritten():
            return _change(state, event.call, step="done")
        case events.FileWriteAttempted():
            return _change(state, event.call, step="running")
        case events.FileRefused():
            return _change(state, event.call, step="refused", told=event.message)
        case events.DiffInspected():
            return _found(state, event.findings)
        case events.CommitAttempted():
            return _change(state, event.call, step="running")
        case events.CommitMade():
            made = replace(state, head=event.commit, commits=(*state.commits, event.commit))
            return _change(made, event.call, step="done")
        case events.CommitRefused():
            return _change(_found(state, event.findings), event.call, step="refused", told=event.message)
        case policy_events.CheckStarted():
            return _change(state, event.call, step="running", name=event.name)
        case policy_events.CheckFinished():
            return replace(state, checked=state.checked | {(event.line, event.tree)}) if event.passed else state
        case policy_events.PolicyLoaded():
            return replace(state, policy=event)
        case review_events.ReviewCommitAttempted():
            return replace(state, committing=event)
        case review_events.ReviewCommitted():
            return replace(state, committing=None, head=event.commit, commits=(*state.commits, event.commit))
        case policy_events.CommitsFound():
            return replace(state, head=event.head, commits=event.commits)
        case policy_events.CommitsSetAside():
            aside = (*state.aside, event.ref) if event.ref and event.ref not in state.aside else state.aside
            return replace(_found(state, event.findings), aside=aside)
        case policy_events.FindingWaived():
            return replace(state, waived={**state.waived, event.digest: event})
        case events.MergeAttempted():
            return replace(state, merging=event, conflicts=(), notice="")
        case events.MergeMade():
            return replace(
                state, merging=None, merged=state.merging or state.merged, ended="merged", merge_commit=event.commit
            )
        case events.MergeConflicted():
            notice = f"Conflicts with {event.into}."
            return replace(
                state,
                merging=None,
                conflicted=state.merging,
                conflicts=event.paths,
                conflicts_with=event.into,
                notice=notice,
            )
        case events.MergeRefused():
            return replace(state, merging=None, notice=event.reason)
        case events.DiscardAttempted():
            return replace(state, discarding=True)
        case events.SessionDiscarded():
            return replace(state, ended="discarded", discarding=False, turn=None, questions={})
        case events.SessionPaused():
            return replace(state, paused=True)
        case events.SessionStopped() | network.NetworkGranted() | network.NetworkConnection():
            return state
        case events.SessionInterrupted():
            return _interrupt(state)
        case events.SessionResumed():
            return replace(state, paused=False, interrupted=False)
        case events.FailureRecorded():
            ended: Literal["", "failed"] = "failed" if state.worktree is None and not state.ended else ""
            return replace(state, notice=event.message, ended=state.ended or ended)
        case (
            review_events.ReviewAttempted()
            | review_events.ReviewAccepted()
            | review_events.ReviewRejected()
            | review_events.ReviewRefused()
            | review_events.ReviewMarked()
            | review_events.ReviewAsked()
            | review_events.ReviewEdited()
            | review_events.ReviewTold()
        ):
            return replace(state, review=reviewed.apply(state.review, event))
        case model_events.TurnSteered():
            queued = state.queued[1:] if state.queued and state.queued[0].text == event.prompt else state.queued
            return replace(state, queued=queued, spent=model_state.apply(state.spent, event))
        case model_events.ModelChosen():
            return replace(state, model=event.model, spent=model_state.apply(state.spent, event))
        case (
            model_events.ModelReplied()
            | model_events.ModelTold()
            | model_events.ContextCompacted()
            | model_events.ContextLost()
            | model_events.LoopFound()
        ):
            return replace(state, spent=model_state.apply(state.spent, event))
        case tree_events.CheckpointMade():
            return replace(state, checkpoints=(*state.checkpoints, event)[-KEPT_CHECKPOINTS:])
        case tree_events.CheckpointRestoreAttempted():
            undone = f"restore it again, or checkpoint {event.undo} to undo it"
            notice = f"Checkpoint {event.number} is being restored. If this stays here it was cut off: {undone}."
            return replace(state, notice=notice)
        case tree_events.CheckpointRestored():
            told = reviewed.noted(state.review, reviewed.restored(event.number, event.kept))
            return replace(state, notice=f"The files are those of checkpoint {event.number}.", review=told)
        case tree_events.WorktreeReadied():
            notice = f"Not copied: {', '.join(event.left[:5])}." if event.left else state.notice
            return replace(state, notice=notice, offered=event.offered)
        case tree_events.SessionKept():
            but = f" All but {', '.join(event.skipped[:5])}, which a commit cannot hold." if event.skipped else ""
            return replace(state, notice=f"For 30 days, what it held is in {event.reference}.{but}")
        case tree_events.MergeUndoAttempted():
            return replace(state, notice=f"The merge into {event.into} is being undone.")
        case tree_events.MergeUndone():
            notice = f"The merge into {event.into} was undone; the commits are on {event.branch}."
            return replace(state, ended="undone", merge_commit=None, notice=notice)
        case tree_events.MergeUndoRefused():
            return replace(state, notice=event.reason)
        case tree_events.MergeTrialBegan():
            return replace(state, trial=event)
        case tree_events.MergeTrialEnded():
            kept = f"Changed while checks ran, and left so: {', '.join(event.kept[:5])}." if event.kept else ""
            return replace(state, trial=None, notice=kept or state.notice)
        case tree_events.ConflictForecast():
            others = {name: places for name, places in state.forecasts.items() if name != event.other}
            return replace(state, forecasts={**others, event.other: event.places} if event.places else others)
        case _:
            assert_never(event)


def _with_call(state: SessionState, call: Call) -> SessionState:
    calls = dict(state.calls)
    if len(calls) >= KEPT_CALLS:
        oldest = next((key for key, kept in calls.items() if not kept.is_open), None)
        if oldest is not None:
            del calls[oldest]
    calls[call.call] = call
    return replace(state, calls=calls)


def _change(state: SessionState, call: ids.CallId, **changes: Any) -> SessionState:  # noqa: ANN401 - the fields are those of the arms above
    if call not in state.calls:
        return state
    changed = replace(state.calls[call], **changes)
    return replace(state, calls={**state.calls, call: changed})


def _interrupt(state: SessionState) -> SessionState:
    """What ran is unknown from here on; what waited goes on waiting."""
    calls = {
        key: replace(call, step="unknown") if call.step in {"running", "background"} else call
        for key, call in state.calls.items()
    }
    return replace(state, calls=calls, interrupted=state.turn is not None, merging=None, discarding=False)


def _without(
    questions: Mapping[ids.ApprovalId, approval.Question], gone: ids.ApprovalId
) -> dict[ids.ApprovalId, approval.Question]:
    return {key: question for key, question in questions.items() if key != gone}
