"""How far a review has come: the part of a session's state that is folded from what a person did with its hunks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain import diff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain import hunks
    from agentos_lsp.domain import review_events as events

    Event = (
        events.ReviewAttempted
        | events.ReviewAccepted
        | events.ReviewRejected
        | events.ReviewRefused
        | events.ReviewMarked
        | events.ReviewAsked
        | events.ReviewEdited
        | events.ReviewTold
    )

SHOWN_ROWS = 80
SHOWN_CHARACTERS = 8000
SHOWN_PATHS = 20
"""How much of a hunk an agent is shown again; it can read the rest."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that has begun and has no end yet; after a crash, its outcome is unknown."""

    wanted: events.Wanted
    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a person has said so far. All but `notes` are digests, which name contents; see `hunks`.

    `notes` are what the agent was not told yet, of rejections, edits and restores, in order.
    """

    looked_at: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()


def apply(review: Review, event: Event) -> Review:
    """Returns the review after one more event."""
    match event.type:
        case "review.attempted":
            return replace(review, attempts=(*review.attempts, Attempt(event.wanted, event.path, event.digest)))
        case "review.accepted":
            accepted = review.accepted.union(event.digests)
            return replace(review, accepted=accepted, attempts=_without(review, "accept", event.path))
        case "review.rejected":
            notes = (*review.notes, event.note)
            return replace(review, notes=notes, attempts=_without(review, "reject", event.path))
        case "review.refused":
            return replace(review, attempts=_without(review, event.wanted, event.path))
        case "review.marked":
            given = frozenset(event.digests)
            looked_at = review.looked_at | given if event.reviewed else review.looked_at - given
            return replace(review, looked_at=looked_at)
        case "review.asked":
            return replace(review, asked=review.asked | {event.digest})
        case "review.edited":
            return noted(review, event.note)
        case "review.told":
            return replace(review, notes=review.notes[event.notes :])
        case _:
            assert_never(event.type)


def noted(review: Review, note: str) -> Review:
    """Returns the review with something that the agent is to be told; not twice in one breath."""
    return review if note in review.notes else replace(review, notes=(*review.notes, note))


def _without(review: Review, wanted: events.Wanted, path: str) -> tuple[Attempt, ...]:
    return tuple(one for one in review.attempts if (one.wanted, one.path) != (wanted, path))


def rejection(item: hunks.Item) -> str:
    """Says to an agent what a person took back."""
    what = "your change of" if item.hunk is None else "this part of your change of"
    return f"A person rejected {what} {item.path} and put it back as it was:\n{_shown(item)}"


def edit(paths: Sequence[str]) -> str:
    """Says to an agent what a person wrote in its worktree."""
    shown = ", ".join(paths[:SHOWN_PATHS]) + (
        f" and {len(paths) - SHOWN_PATHS} more" if len(paths) > SHOWN_PATHS else ""
    )
    return f"A person edited {shown} in your worktree; read it again before you change it."


def restored(number: int, kept: Sequence[str]) -> str:
    """Says to an agent that its worktree's files are those of a checkpoint, but for some."""
    when = "where the session began" if number == 0 else f"at checkpoint {number}"
    but = f", but for {', '.join(kept[:SHOWN_PATHS])}" if kept else ""
    return (
        f"A person brought the files of your worktree back to how they were {when}{but}; your commits stay. Look at the"
        " change with git, and read files again before you change them."
    )


def request(item: hunks.Item, text: str) -> str:
    """Says to an agent what a person wants to be different, and where."""
    what = "your change of" if item.hunk is None else "this part of your change of"
    return f"A person reviewed {what} {item.path}:\n{_shown(item)}\nThey ask: {text}"


def prompt(review: Review, text: str) -> str:
    """Returns a prompt with everything before it that the agent was not told yet."""
    return "\n\n".join([*review.notes, text] if text else review.notes)


def _shown(item: hunks.Item) -> str:
    chosen = item.change.hunks if item.hunk is None else (item.hunk,)
    rows = [row for hunk in chosen for row in diff.hunk_rows(hunk)]
    text = "\n".join(rows[:SHOWN_ROWS])
    more = f"\n… {len(rows) - SHOWN_ROWS} more lines …" if len(rows) > SHOWN_ROWS else ""
    return (text[:SHOWN_CHARACTERS] + more) if rows else f"({item.change.status})"
