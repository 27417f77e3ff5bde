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
    """A commit, with the first of its parents (None for one that has none) and its message."""

    commit: CommitId
    parent: CommitId | None
    message: str


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
            found.append(Made(CommitId(str(one.id)), parent, one.message))
        return tuple(found)


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
