"""Commits that were made past the gate: which they are, kept under a ref of ours, and the branch put back.

Putting back moves the branch alone: neither a file nor the index of the worktree is touched, as by `git reset --soft`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import SortMode

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import commits, opening

if TYPE_CHECKING:
    from agentos_lsp.effects.git.worktrees import Worktree

MOST = 1_000
"""More commits than this are not looked at one by one."""


@dataclass(frozen=True, slots=True)
class Made:
    """A commit, with the first of its parents (None for one that has none) and its message, as its bytes say it.

    `unfit` says why it can never be on a session's branch, empty if it may.
    """

    commit: CommitId
    parent: CommitId | None
    message: str
    unfit: str = ""


def since(git_dir: str, base: CommitId, tip: CommitId) -> tuple[Made, ...] | None:
    """Returns the commits that lead from one to another, the oldest first; None if they do not, or are too many.

    Args:
        git_dir: The repository, or a place apart that holds commits which are not in it yet; see `intake`.
        base: The one.
        tip: The other.

    Raises:
        EffectError: A commit is missing, or git failed.
    """
    with opening.attempting(f"look at the commits up to {tip}"):
        repository = opening.repository(git_dir)
        if base != tip and not repository.descendant_of(pygit2.Oid(hex=tip), pygit2.Oid(hex=base)):
            return None
        walker = repository.walk(pygit2.Oid(hex=tip), SortMode.TOPOLOGICAL | SortMode.REVERSE)
        walker.hide(pygit2.Oid(hex=base))
        found: list[Made] = []
        for one in walker:
            if len(found) == MOST:
                return None
            parent = CommitId(str(one.parent_ids[0])) if one.parent_ids else None
            header, _, message = repository.read(one.id)[1].partition(b"\n\n")
            said = message.decode("utf-8", "replace")
            found.append(Made(CommitId(str(one.id)), parent, said, _unfit(header, message, parent)))
        return tuple(found)


def _unfit(header: bytes, message: bytes, parent: CommitId | None) -> str:
    """Says why nobody could judge a commit by what it shows, empty if they can."""
    if parent is None:
        return "it has no parent, so that what it holds is no change of anything"
    encodings = [line[9:] for line in header.split(b"\n") if line.startswith(b"encoding ")]
    if any(one.strip().lower() not in {b"utf-8", b"utf8"} for one in encodings):
        return "its message is in another encoding than UTF-8"
    return "its message holds a NUL" if b"\0" in message else ""


def keep(worktree: Worktree, kind: str, commit: CommitId) -> str:
    """Keeps a commit under a ref of ours that no branch shows and that git does not collect.

    Args:
        worktree: Whose session.
        kind: `refused` or `replaced`.
        commit: What to keep.

    Returns:
        The ref's name; the same for the same commit.

    Raises:
        EffectError: git failed.
    """
    session = worktree.branch.partition("/")[2]
    name = f"refs/agentos/{session}/{kind}/{commit[:12]}"
    with opening.attempting(f"keep {commit} as {name}"):
        repository = opening.repository(worktree.common_dir)
        if name not in repository.references:
            repository.references.create(name, pygit2.Oid(hex=commit))
        return name


def put_back(worktree: Worktree, tip: CommitId, to: CommitId) -> bool:
    """Moves the session's branch back; false if it has moved on meanwhile.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting(f"move {worktree.branch} back to {to}"):
        repository = opening.repository(worktree.common_dir)
        try:
            where = str(repository.lookup_reference(f"refs/heads/{worktree.branch}").target)
        except KeyError:
            return False
        if where != tip:
            return False
        commits.move_branch(repository, worktree.branch, tip, pygit2.Oid(hex=to), "agentos: commits set aside")
        return True


def branch_tip(worktree: Worktree) -> CommitId | None:
    """Returns where the session's branch is, None if it is gone."""
    with opening.attempting(f"look at {worktree.branch}"):
        try:
            reference = opening.repository(worktree.common_dir).lookup_reference(f"refs/heads/{worktree.branch}")
            return CommitId(str(reference.peel(pygit2.Commit).id))
        except KeyError:
            return None
        except pygit2.GitError as error:
            raise EffectError("git", f"look at {worktree.branch}", str(error), retry_may_help=False) from error
