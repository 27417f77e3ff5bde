"""What sessions left behind: worktrees, branches and folders that no live session owns, with what would be lost."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.errors import EffectError, InternalError
from agentos_lsp.domain.ids import CommitId, SessionId
from agentos_lsp.effects.git import changes, opening, trash, worktrees

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree


@dataclass(frozen=True, slots=True)
class Unmerged:
    """What a discard would lose: commits, newest first, and paths that are not committed."""

    commits: tuple[CommitId, ...]
    uncommitted: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        """Whether nothing would be lost."""
        return not self.commits and not self.uncommitted


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something of a session that is not live. Each part may be missing: a worktree, a branch, a folder."""

    session: SessionId
    worktree: Worktree | None
    branch: str | None
    folder: str | None
    unmerged: Unmerged
    readable: bool = True
    """False if the folder could not be compared: then nobody knows what it holds, and it must be kept."""
    complete: bool = True
    """False if the worktree's creation was cut off: there is nothing to go on with."""

    @property
    def may_be_removed(self) -> bool:
        """Whether removing it loses nothing."""
        return self.readable and self.unmerged.is_nothing


def unmerged(worktree: Worktree, into: str | None) -> Unmerged:
    """Returns what would be lost if a session were discarded now.

    Args:
        worktree: The session's; a missing folder has nothing uncommitted.
        into: The branch that may hold its commits already; None for any branch that is not a session's.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting(f"find what is unmerged on {worktree.branch}"):
        repository = opening.repository(worktree.common_dir)
        try:
            head = repository.lookup_reference(f"refs/heads/{worktree.branch}").peel(pygit2.Commit).id
        except KeyError:
            head = None
        commits = () if head is None else _commits(repository, head, into)
        compared = CommitId(str(head)) if head is not None else worktree.base
        exists = os.path.lexists(worktree.folder)
        return Unmerged(commits, changes.changed_paths(worktree, compared) if exists else ())


def _commits(repository: Repository, head: pygit2.Oid, into: str | None) -> tuple[CommitId, ...]:
    """Returns the commits that only this branch reaches; the main repository knows where a shallow clone ends."""
    walker = repository.walk(head)
    others = [into] if into is not None else repository.branches.local
    for name in others:
        if name == into or not name.startswith(worktrees.PREFIX):
            walker.hide(repository.lookup_reference(f"refs/heads/{name}").peel(pygit2.Commit).id)
    return tuple(CommitId(str(commit.id)) for commit in walker)


def orphans(state_folder: str, checkout: Checkout, live: AbstractSet[SessionId]) -> tuple[Orphan, ...]:
    """Finds what no live session owns: worktrees, branches under `agentos/`, and folders. Removes nothing.

    Args:
        state_folder: Where this repository's session worktrees are kept.
        checkout: Whose repository.
        live: The sessions that are not orphans.

    Raises:
        EffectError: git or the file system failed.
    """
    with opening.attempting("look for what sessions left behind"):
        found: dict[SessionId, Orphan] = {}
        # Worktrees of another state folder may well have live sessions there.
        elsewhere: set[SessionId] = set()
        for row in worktrees.list_worktrees(checkout):
            session = SessionId(row.worktree.branch.removeprefix(worktrees.PREFIX))
            if os.path.dirname(row.worktree.folder) != state_folder:  # noqa: PTH120 - a link must not be resolved
                elsewhere.add(session)
            elif session not in live:
                found[session] = _of_worktree(session, row)
        repository = opening.repository(checkout.common_dir)
        for branch in repository.branches.local:
            session = SessionId(branch.removeprefix(worktrees.PREFIX))
            known = session in live or session in elsewhere or session in found
            if branch.startswith(worktrees.PREFIX) and not known:
                head = repository.lookup_reference(f"refs/heads/{branch}").peel(pygit2.Commit).id
                lost = Unmerged(_commits(repository, head, None), ())
                found[session] = Orphan(session, None, branch, None, lost)
        for folder in sorted(Path(state_folder).iterdir()) if Path(state_folder).is_dir() else ():
            session = SessionId(folder.name)
            known = session in live or session in found or folder.name.startswith(trash.NAME)
            if not known and folder.is_dir():
                found[session] = Orphan(session, None, None, str(folder), Unmerged((), ()), readable=False)
        return tuple(found[session] for session in sorted(found))


def remove(orphan: Orphan, common_dir: str) -> None:
    """Removes an orphan that holds nothing of its own.

    Args:
        orphan: As it was found.
        common_dir: The git directory of its repository, absolute.

    Raises:
        EffectError: git or the file system failed.
    """
    if not orphan.may_be_removed:
        raise InternalError(f"Whoever removes {orphan.session} has to see first that nothing is lost.")
    with opening.attempting(f"remove what {orphan.session} left behind"):
        if orphan.worktree is not None:
            worktrees.remove(orphan.worktree, delete_branch=True)
            trash.empty(str(Path(orphan.worktree.folder).parent))
        elif orphan.branch is not None:
            opening.repository(common_dir).lookup_reference(f"refs/heads/{orphan.branch}").delete()


def _of_worktree(session: SessionId, row: worktrees.Listed) -> Orphan:
    worktree = row.worktree
    branch = worktree.branch if row.head is not None else None
    folder = worktree.folder if row.exists else None
    if not row.complete:
        # Its creation was cut off, so no agent was ever in it and whatever files it has come from git.
        return Orphan(session, worktree, branch, folder, Unmerged((), ()), complete=False)
    try:
        return Orphan(session, worktree, branch, folder, unmerged(worktree, None))
    except EffectError:
        return Orphan(session, worktree, branch, folder, Unmerged((), ()), readable=False)
