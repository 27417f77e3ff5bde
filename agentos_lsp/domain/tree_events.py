"""What happens to a session's files as a whole: checkpoints taken and restored. The same promise as `events`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentos_lsp.domain.event import Event
from agentos_lsp.domain.ids import CommitId, SessionId
from agentos_lsp.domain.tools import Record

Occasion = Literal["turn", "asked", "restore"]
"""Why a checkpoint was taken: a turn was about to begin, a person asked, or another one was about to be restored."""


class CheckpointMade(Event):
    """The worktree's files are kept as a commit; `files` differ from the checkpoint before, `skipped` are not in it."""

    type: Literal["checkpoint.made"] = "checkpoint.made"
    number: int = Field(ge=1)
    commit: CommitId
    occasion: Occasion
    note: str = ""
    files: int
    skipped: tuple[str, ...] = ()


class CheckpointRestoreAttempted(Event):
    """A person asked for the files of a checkpoint (0: the session's beginning); `undo` holds what they replace."""

    type: Literal["checkpoint.restore_attempted"] = "checkpoint.restore_attempted"
    number: int = Field(ge=0)
    undo: int = Field(ge=0)
    by: str


class CheckpointRestored(Event):
    """The worktree's files are those of the checkpoint again, but for `kept`, which could not be replaced."""

    type: Literal["checkpoint.restored"] = "checkpoint.restored"
    number: int = Field(ge=0)
    undo: int = Field(ge=0)
    files: int
    kept: tuple[str, ...] = ()


class OfferRecord(Record):
    """Lines of a file that other tools run in a fresh worktree."""

    file: str
    lines: tuple[str, ...]


class WorktreeReadied(Event):
    """Ignored files of the checkout were copied into the fresh worktree; `left` were asked for and were not.

    `offered` are lines that other tools' files would have run there, each with its file; they were not.
    """

    type: Literal["worktree.readied"] = "worktree.readied"
    copied: tuple[str, ...]
    left: tuple[str, ...] = ()
    offered: tuple[OfferRecord, ...] = ()


class SessionKept(Event):
    """What a discard removes is kept under a reference for 30 days; `skipped` are not in it, and are gone."""

    type: Literal["session.kept"] = "session.kept"
    reference: str
    commit: CommitId
    skipped: tuple[str, ...] = ()


class MergeUndoAttempted(Event):
    """A person asked to undo the session's merge: to move `into` from `commit` back to `back_to`."""

    type: Literal["merge.undo_attempted"] = "merge.undo_attempted"
    into: str
    commit: CommitId
    back_to: CommitId
    by: str


class MergeUndone(Event):
    """The branch is at `commit` again, as before the merge; `branch` holds the session's commits."""

    type: Literal["merge.undone"] = "merge.undone"
    into: str
    commit: CommitId
    branch: str


class MergeUndoRefused(Event):
    """The merge stays: undoing it would overwrite something, or something came on top; nothing was changed."""

    type: Literal["merge.undo_refused"] = "merge.undo_refused"
    into: str
    reason: str
    paths: tuple[str, ...] = ()


class MergeTrialBegan(Event):
    """The worktree, whose files are those of `commit`, is given those of `tree` while checks run before a merge."""

    type: Literal["merge.trial_began"] = "merge.trial_began"
    commit: CommitId
    tree: str


class MergeTrialEnded(Event):
    """The worktree has its own files again, but for `kept`, which were changed meanwhile."""

    type: Literal["merge.trial_ended"] = "merge.trial_ended"
    kept: tuple[str, ...] = ()


class ForecastPlace(Record):
    """Lines of a file, from `line` (counted from 0 in this session's worktree) on; None for the whole file."""

    path: str
    line: int | None
    lines: int


class ConflictForecast(Event):
    """Merging this session and the live `other` would conflict at these places, or no longer if there are none."""

    type: Literal["conflict.forecast"] = "conflict.forecast"
    other: SessionId
    places: tuple[ForecastPlace, ...]


TreeEvent = (
    CheckpointMade
    | CheckpointRestoreAttempted
    | CheckpointRestored
    | MergeUndoAttempted
    | MergeUndone
    | MergeUndoRefused
    | ConflictForecast
    | WorktreeReadied
    | SessionKept
    | MergeTrialBegan
    | MergeTrialEnded
)
