"""A session's branch merged into a person's: previewed in memory, then made without overwriting anything of theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pygit2
from pygit2.enums import RepositoryState

from agentos_lsp.domain.errors import UserError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import commits, opening, trees, updating, worktrees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Checkout, Identity

Strategy = Literal["fast-forward", "merge", "squash"]
Kind = Literal["up-to-date", "fast-forward", "merge"]


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What a merge would do now: its kind, the paths that conflict, the paths that would change, the tree if any."""

    kind: Kind
    conflicts: tuple[str, ...]
    paths: tuple[str, ...]
    tree: str | None
    """None exactly if there are conflicts."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The branch holds the session's work at this commit; `paths` changed on it."""

    commit: CommitId
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed; `reason` is a sentence for a person, `paths` are in the way."""

    reason: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Nothing was changed; both sides changed these paths differently."""

    paths: tuple[str, ...]


def preview(checkout: Checkout, session_branch: str, into: str) -> MergePreview:
    """Works out in memory what a merge would do.

    Raises:
        UserError: One of the branches does not exist.
        EffectError: git failed.
    """
    with opening.attempting(f"preview the merge of {session_branch} into {into}"):
        repository = opening.repository(checkout.common_dir)
        return _previewed(repository, _commit(repository, session_branch), _commit(repository, into))


def _commit(repository: Repository, branch: str) -> pygit2.Commit:
    try:
        return repository.lookup_reference(f"refs/heads/{branch}").peel(pygit2.Commit)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"There is no branch {branch}.", "It may have been deleted or renamed; choose another."
        ) from error


def _previewed(repository: Repository, theirs: pygit2.Commit, ours: pygit2.Commit) -> MergePreview:
    base = repository.merge_base(ours.id, theirs.id)
    if base == theirs.id:
        return MergePreview("up-to-date", (), (), str(ours.tree_id))
    if base == ours.id:
        tree = theirs.tree_id
        return MergePreview("fast-forward", (), _paths(repository, ours.tree_id, tree), str(tree))
    index = repository.merge_commits(ours, theirs)
    if index.conflicts is not None:
        sides = [side for conflict in index.conflicts for side in conflict if side is not None]
        return MergePreview("merge", tuple(sorted({os.fspath(side.path) for side in sides})), (), None)
    tree = index.write_tree(repository)
    return MergePreview("merge", (), _paths(repository, ours.tree_id, tree), str(tree))


def _paths(repository: Repository, old: pygit2.Oid, new: pygit2.Oid) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path, _, _ in trees.difference(repository, old.raw, new.raw))


def merge(
    checkout: Checkout,
    session_branch: str,
    into: str,
    strategy: Strategy,
    message: str,
    author: Identity,
    at: datetime,
    *,
    protected_paths: frozenset[str],
) -> Merged | Refused | Conflicted:
    """Merges a session's branch into another, and updates the checkout's files if that branch is checked out there.

    Only what is committed on the session's branch counts. Hooks do not run. See `updating` for what a crash leaves.

    Args:
        checkout: The person's.
        session_branch: What to merge, without `refs/heads/`.
        into: The branch that moves.
        strategy: Move it along, make a merge commit, or make one ordinary commit.
        message: For the commit that `merge` and `squash` make.
        author: Author and committer of that commit.
        at: When, with its time zone.
        protected_paths: Files of the checkout that are open with unsaved changes, relative to its root.

    Raises:
        UserError: A branch does not exist, or `into` moved while the merge was made.
        EffectError: Another git command holds the checkout (a retry may help), or git failed; nothing was changed.
    """
    with opening.attempting(f"merge {session_branch} into {into}"):
        repository = opening.repository(checkout.git_dir)
        theirs, ours = _commit(repository, session_branch), _commit(repository, into)
        found = _previewed(repository, theirs, ours)
        if found.tree is None:
            return Conflicted(found.conflicts)
        if found.kind == "up-to-date":
            return Merged(CommitId(str(ours.id)), ())
        if strategy == "fast-forward" and found.kind != "fast-forward":
            return Refused(f"{into} has commits that {session_branch} lacks; choose a merge commit or a squash.")
        busy = _elsewhere(checkout, into)
        if busy is not None:
            return busy
        here = worktrees.checked_out(checkout.git_dir) == into
        old, tree = CommitId(str(ours.id)), found.tree

        def move() -> None:
            made = _made(repository, strategy, (ours, theirs), tree, message, commits.signature(author, at))
            commits.move_branch(repository, into, old, made, f"merge {session_branch}: {strategy}")

        if not here:
            move()
        else:
            refused = _update(repository, checkout, (ours.tree_id.raw, bytes.fromhex(tree)), protected_paths, move)
            if refused is not None:
                return refused
        return Merged(CommitId(str(_commit(repository, into).id)), found.paths)


def _made(
    repository: Repository,
    strategy: Strategy,
    sides: tuple[pygit2.Commit, pygit2.Commit],
    tree: str,
    message: str,
    who: pygit2.Signature,
) -> pygit2.Oid:
    """Returns the commit that the branch moves to, made if need be."""
    ours, theirs = sides
    if strategy == "fast-forward":
        return theirs.id
    parents = [ours.id, theirs.id] if strategy == "merge" else [ours.id]
    text = message.strip() + "\n"
    return repository.create_commit(None, who, who, text, pygit2.Oid(hex=tree), parents)


def _update(
    repository: Repository,
    checkout: Checkout,
    between: tuple[bytes, bytes],
    protected: frozenset[str],
    move: Callable[[], None],
) -> Refused | None:
    """Moves the checkout and its branch together, or says why not."""
    if repository.state() != RepositoryState.NONE:
        return Refused("A merge, rebase, cherry-pick or bisect is under way in the checkout; finish or abort it first.")
    with updating.locked(checkout):
        steps, blocked = updating.planned(repository, checkout, *between, protected)
        unsaved = tuple(path for path in blocked if path in protected)
        if unsaved:
            return Refused("These files have unsaved changes in an editor; save or undo them first.", unsaved)
        if blocked:
            return Refused(
                "These files have changes that are not committed; commit, stash or move them first.", tuple(blocked)
            )
        changed = updating.apply(repository, checkout, steps, move)
    if changed is None:
        return None
    return Refused("This file was changed while the merge was under way; try again.", (os.fsdecode(changed),))


def _elsewhere(checkout: Checkout, into: str) -> Refused | None:
    """Refuses a branch that another worktree has checked out, or that a rebase will come back to."""
    for git_dir, folder in _places(checkout):
        if git_dir != checkout.git_dir and worktrees.checked_out(git_dir) == into:
            return Refused(
                f"{into} is checked out in {folder}; merge from there, or switch that worktree away from it."
            )
        for name in ("rebase-merge", "rebase-apply"):
            head = Path(git_dir, name, "head-name")
            if head.is_file() and head.read_text(errors="replace").strip() == f"refs/heads/{into}":
                return Refused(f"{into} is being rebased in {folder}; finish or abort the rebase first.")
    return None


def _places(checkout: Checkout) -> Iterator[tuple[str, str]]:
    """Yields the git directory and the folder of the main checkout and of every linked worktree."""
    if not opening.repository(checkout.common_dir).is_bare:
        yield checkout.common_dir, checkout.common_dir.removesuffix("/.git")
    linked = Path(checkout.common_dir, "worktrees")
    for admin in sorted(linked.iterdir()) if linked.is_dir() else ():
        gitdir = admin / "gitdir"
        if gitdir.is_file():
            yield str(admin), gitdir.read_text(errors="surrogateescape").strip().removesuffix("/.git")
