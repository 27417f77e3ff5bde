"""What a person does with the change of a session, hunk by hunk. Part of the union in `events`."""

from __future__ import annotations

from typing import Literal

from agentos_lsp.domain.event import Event
from agentos_lsp.domain.ids import BlobId, CommitId

Wanted = Literal["accept", "reject"]


class ReviewAttempted(Event):
    """A hunk (or a whole file) is about to be taken over or taken back; `before` keeps what would be lost."""

    type: Literal["review.attempted"] = "review.attempted"
    wanted: Wanted
    path: str
    digest: str
    whole: bool
    through: Literal["disk", "editor"]
    before: BlobId | None = None
    by: str


class ReviewAccepted(Event):
    """The person's own file has the hunk or file now; `through` an open editor it can be undone there."""

    type: Literal["review.accepted"] = "review.accepted"
    path: str
    digests: tuple[str, ...]
    through: Literal["disk", "editor"]
    by: str


class ReviewRejected(Event):
    """The worktree has the hunk or file no longer; `note` is what the agent will be told."""

    type: Literal["review.rejected"] = "review.rejected"
    path: str
    digests: tuple[str, ...]
    note: str
    by: str


class ReviewRefused(Event):
    """What a person asked for would have overwritten something, or could not be done; nothing was changed."""

    type: Literal["review.refused"] = "review.refused"
    wanted: Wanted
    path: str
    digest: str
    reason: str


class ReviewMarked(Event):
    """A person has looked at hunks or files, or takes that back; each is named by its content."""

    type: Literal["review.marked"] = "review.marked"
    path: str
    digests: tuple[str, ...]
    reviewed: bool
    by: str


class ReviewAsked(Event):
    """A person asked for a change where a hunk or file stands; the prompt that carries it follows."""

    type: Literal["review.asked"] = "review.asked"
    path: str
    digest: str
    text: str
    by: str


class ReviewEdited(Event):
    """Somebody other than the agent wrote files in the worktree; `note` is what the agent will be told."""

    type: Literal["review.edited"] = "review.edited"
    paths: tuple[str, ...]
    note: str


class ReviewCommitAttempted(Event):
    """A person is about to commit what stands in the worktree: `tree` on top of `parent`."""

    type: Literal["review.commit_attempted"] = "review.commit_attempted"
    tree: str
    parent: CommitId
    message: str
    files: tuple[str, ...]
    by: str


class ReviewCommitted(Event):
    """A person committed what stood in the worktree; the session's branch is at `commit`."""

    type: Literal["review.committed"] = "review.committed"
    commit: CommitId
    message: str
    files: tuple[str, ...]
    by: str


class ReviewTold(Event):
    """The first `notes` of what was rejected are in a prompt that is queued."""

    type: Literal["review.told"] = "review.told"
    notes: int


ReviewEvent = (
    ReviewAttempted
    | ReviewAccepted
    | ReviewRejected
    | ReviewRefused
    | ReviewMarked
    | ReviewAsked
    | ReviewEdited
    | ReviewCommitAttempted
    | ReviewCommitted
    | ReviewTold
)
