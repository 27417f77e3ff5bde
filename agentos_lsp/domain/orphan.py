"""What a session left behind that no live session owns: a worktree, a branch or a folder, with what only it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CommitId, SessionId

Way = Literal["recover", "branch", "folder"]


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of a session that is not live.

    Args:
        session: The name that it had.
        repository: The checkout whose repository it belongs to, absolute.
        folder: Its folder, absolute; None if that is gone.
        branch: Its branch, None if that is gone.
        commits: Those that no other branch holds, newest first.
        uncommitted: Paths that differ from its branch.
        way: How to have it back: as a session, by merging its branch, or by looking into its folder.
        is_empty: Whether removing it loses nothing.
    """

    session: SessionId
    repository: str
    folder: str | None
    branch: str | None
    commits: tuple[CommitId, ...]
    uncommitted: tuple[str, ...]
    way: Way
    is_empty: bool


def describe(one: Orphan) -> str:
    """Says in one line what it holds that is nowhere else."""
    if one.is_empty:
        return "nothing that is not elsewhere"
    if one.way == "folder":
        return f"files that git does not know, in {one.folder}"
    held = [(len(one.commits), "commit"), (len(one.uncommitted), "uncommitted file")]
    return " and ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in held if count)


def advise(one: Orphan) -> str:
    """Says in one line what a person may do with it."""
    if one.is_empty:
        return "It can be removed without a loss."
    match one.way:
        case "recover":
            return "Recover it as a session, then merge or discard that."
        case "branch":
            return f"`git merge {one.branch}` brings the commits in; `git branch -D {one.branch}` drops them."
        case "folder":
            return "Look into it, and move away what is worth keeping; agentos-lsp leaves it alone."
