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
from agentos_lsp.effects.git import (
    commits,
    features,
    held,
    indexes,
    joining,
    opening,
    rebasing,
    trees,
    updating,
    worktrees,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Checkout, Identity

Strategy = Literal["fast-forward", "merge", "squash", "rebase"]
Kind = Literal["up-to-date", "fast-forward", "merge"]

_UNDER_WAY = "A merge, rebase, cherry-pick or bisect is under way in the checkout; finish or abort it first."


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


def preview(checkout: Checkout, session_branch: str, into: str, strategy: Strategy = "merge") -> MergePreview:
    """Works out in memory what a merge would do.

    Raises:
        UserError: One of the branches does not exist, or the strategy cannot be used.
        EffectError: git failed.
    """
    with opening.attempting(f"preview the merge of {session_branch} into {into}"):
        repository = opening.repository(checkout.git_dir)
        sides = _commit(repository, into), _commit(repository, session_branch)
        who = pygit2.Signature("AgentOS", "agentos@localhost", 0, 0)
        return _planned(repository, strategy, sides, session_branch, who)[0]


def hindrance(checkout: Checkout, found: MergePreview, into: str, protected_paths: frozenset[str]) -> Refused | None:
    """Tells what would stop a previewed merge now: another worktree, something under way, or files of the person.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting(f"look what stands in the way of a merge into {into}"):
        busy = _elsewhere(checkout, into)
        if busy is not None or found.tree is None or worktrees.checked_out(checkout.git_dir) != into:
            return busy
        repository = opening.repository(checkout.git_dir)
        if repository.state() != RepositoryState.NONE:
            return Refused(_UNDER_WAY)
        between = (_commit(repository, into).tree_id.raw, bytes.fromhex(found.tree))
        refused = _unwritable(repository, checkout, between, "`git merge` with the session's branch")
        if refused is not None:
            return refused
        _, blocked = updating.planned(repository, checkout, *between, protected_paths)
        return _blocked(blocked, protected_paths)


def _commit(repository: Repository, branch: str) -> pygit2.Commit:
    try:
        return repository.lookup_reference(f"refs/heads/{branch}").peel(pygit2.Commit)
    except (KeyError, ValueError) as error:
        raise UserError(
            f"There is no branch {branch}.", "It may have been deleted or renamed; choose another."
        ) from error


def _previewed(repository: Repository, theirs: pygit2.Commit, ours: pygit2.Commit) -> MergePreview:
    base: object = repository.merge_base(ours.id, theirs.id)
    if base == theirs.id:
        return MergePreview("up-to-date", (), (), str(ours.tree_id))
    if base == ours.id:
        tree = theirs.tree_id
        return MergePreview("fast-forward", (), _paths(repository, ours.tree_id, tree), str(tree))
    common = repository[base].peel(pygit2.Commit) if isinstance(base, pygit2.Oid) else None
    found = joining.joined(repository, common, ours, theirs) if common is not None else None
    if found is not None:
        return MergePreview("merge", (), tuple(os.fsdecode(path) for path in found[1]), found[0].hex())
    index = repository.merge_commits(ours, theirs)
    if index.conflicts is not None:
        sides = [side for conflict in index.conflicts for side in conflict if side is not None]
        return MergePreview("merge", tuple(sorted({os.fspath(side.path) for side in sides})), (), None)
    tree = index.write_tree(repository)
    return MergePreview("merge", (), _paths(repository, ours.tree_id, tree), str(tree))


def _paths(repository: Repository, old: pygit2.Oid, new: pygit2.Oid) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path, _, _ in trees.difference(repository, old.raw, new.raw))


def merge(  # noqa: PLR0913 - what is merged, how, by whom, and who watches
    checkout: Checkout,
    session_branch: str,
    into: str,
    strategy: Strategy,
    message: str,
    author: Identity,
    at: datetime,
    *,
    protected_paths: frozenset[str],
    watch: updating.Watch = updating.UNWATCHED,
    proven: str | None = None,
    inspected: CommitId | None = None,
) -> Merged | Refused | Conflicted:
    """Merges a session's branch into another, and updates the checkout's files if that branch is checked out there.

    Only what is committed on the session's branch counts. Hooks do not run. See `updating` for what a crash leaves.

    Args:
        checkout: The person's.
        session_branch: What to merge, without `refs/heads/`.
        into: The branch that moves.
        strategy: Move it along, make a merge commit, make one ordinary commit, or make each commit anew on top.
        message: For the commit that `merge` and `squash` make.
        author: Author and committer of that commit.
        at: When, with its time zone.
        protected_paths: Files of the checkout that are open with unsaved changes, relative to its root.
        watch: Who is told how far it has come, and may cancel it until the branch moves.
        proven: The only tree that it may leave on the branch; None for any.
        inspected: The only commit of the session's that may be merged; None for any.

    Raises:
        UserError: A branch does not exist, or `into` moved while the merge was made.
        EffectError: Another git command holds the checkout (a retry may help), or git failed; nothing was changed.
    """
    with opening.attempting(f"merge {session_branch} into {into}"):
        repository = opening.repository(checkout.git_dir)
        theirs, ours = _commit(repository, session_branch), _commit(repository, into)
        who = commits.signature(author, at)
        found, tip = _planned(repository, strategy, (ours, theirs), session_branch, who)
        if found.tree is None:
            return Conflicted(found.conflicts)
        if proven not in {None, found.tree} or inspected not in {None, str(theirs.id)}:
            return Refused(f"{into} or the session moved while the checks ran; merge again.")
        if found.kind == "up-to-date":
            return Merged(CommitId(str(ours.id)), ())
        busy = _unfit(found, strategy, (session_branch, into)) or _elsewhere(checkout, into)
        if busy is not None:
            return busy
        here = worktrees.checked_out(checkout.git_dir) == into
        old, tree = CommitId(str(ours.id)), found.tree

        def move() -> None:
            made = tip
            if strategy in {"merge", "squash"}:
                parents = [ours.id, theirs.id] if strategy == "merge" else [ours.id]
                text = message.strip() + "\n"
                made = repository.create_commit(None, who, who, text, pygit2.Oid(hex=tree), parents)
            commits.move_branch(repository, into, old, made, f"merge {session_branch}: {strategy}")

        try:
            refused = None
            watch.look(0, 0)
            if not here:
                move()
            else:
                between = (ours.tree_id.raw, bytes.fromhex(tree))
                refused = _unwritable(repository, checkout, between, f"`git merge {session_branch}`") or _update(
                    repository, checkout, between, protected_paths, move, watch
                )
        except updating.CancelledError:
            return Refused("The merge was cancelled; nothing was changed.")
        if refused is not None:
            return refused
        return Merged(CommitId(str(_commit(repository, into).id)), found.paths)


def _unfit(found: MergePreview, strategy: Strategy, between: tuple[str, str]) -> Refused | None:
    """Refuses to move a branch along that has gone on."""
    if strategy != "fast-forward" or found.kind == "fast-forward":
        return None
    return Refused(f"{between[1]} has commits that {between[0]} lacks; choose a merge commit, a rebase or a squash.")


def _planned(
    repository: Repository,
    strategy: Strategy,
    sides: tuple[pygit2.Commit, pygit2.Commit],
    session_branch: str,
    who: pygit2.Signature,
) -> tuple[MergePreview, pygit2.Oid]:
    """Returns what a merge would do, and the commit that the branch would be moved to if none is made for it."""
    ours, theirs = sides
    found = _previewed(repository, theirs, ours)
    if strategy != "rebase" or found.kind != "merge":
        return found, theirs.id
    session = session_branch.removeprefix(worktrees.PREFIX)
    replayed = rebasing.replay(repository, theirs, ours, who, {"AgentOS-Session": session})
    if replayed.conflicts:
        return MergePreview("merge", replayed.conflicts, (), None), ours.id
    tree = repository[replayed.tip].peel(pygit2.Tree).id
    kind: Kind = "up-to-date" if replayed.tip == ours.id else "merge"
    return MergePreview(kind, (), _paths(repository, ours.tree_id, tree), str(tree)), replayed.tip


def undo(checkout: Checkout, into: str, made: CommitId, before: CommitId, protected: frozenset[str]) -> Refused | None:
    """Moves a branch back to where it was before a merge, with the checkout's files if it is checked out there.

    Args:
        checkout: The person's.
        into: The branch that was merged into.
        made: Where the merge left it; if it is anywhere else, nothing is done.
        before: Where it was.
        protected: Files of the checkout that are open with unsaved changes, relative to its root.

    Returns:
        None if the branch is where it was before, also if it was so already; else why nothing was changed.

    Raises:
        UserError: The branch does not exist any more, or moved while this was under way.
        EffectError: Another git command holds the checkout (a retry may help), or git failed; nothing was changed.
    """
    with opening.attempting(f"undo the merge into {into}"):
        repository = opening.repository(checkout.git_dir)
        now, old = _commit(repository, into), repository[pygit2.Oid(hex=before)].peel(pygit2.Commit)
        if now.id == old.id:
            return None
        if str(now.id) != made:
            what = "has commits on top of the merge" if repository.descendant_of(now.id, made) else "was moved since"
            return Refused(f"{into} {what}; revert the merge commit instead (`git revert`).")
        busy = _elsewhere(checkout, into)
        if busy is not None:
            return busy

        def move() -> None:
            commits.move_branch(repository, into, made, old.id, f"undo the merge of {made[:10]}")

        if worktrees.checked_out(checkout.git_dir) != into:
            move()
            return None
        between = (now.tree_id.raw, old.tree_id.raw)
        refused = _unwritable(repository, checkout, between, f"`git reset --keep {before[:10]}`")
        return refused or _update(repository, checkout, between, protected, move, updating.UNWATCHED)


def _update(
    repository: Repository,
    checkout: Checkout,
    between: tuple[bytes, bytes],
    protected: frozenset[str],
    move: Callable[[], None],
    watch: updating.Watch,
) -> Refused | None:
    """Moves the checkout and its branch together, or says why not."""
    if repository.state() != RepositoryState.NONE:
        return Refused(_UNDER_WAY)
    with updating.locked(checkout):
        steps, blocked = updating.planned(repository, checkout, *between, protected)
        refused = _blocked(blocked, protected)
        if refused is not None:
            return refused
        changed = updating.apply(repository, checkout, steps, move, watch)
    if changed is None:
        return None
    return Refused("This file was changed while the merge was under way; try again.", (os.fsdecode(changed),))


def keep_branch(checkout: Checkout, branch: str, commit: CommitId) -> bool:
    """Gives commits a branch, and tells whether it had to be made.

    Raises:
        UserError: A branch of that name is somewhere else.
    """
    with opening.attempting(f"keep the branch {branch}"):
        repository = opening.repository(checkout.common_dir)
        name = f"refs/heads/{branch}"
        if name not in repository.references:
            repository.references.create(name, pygit2.Oid(hex=commit))
            return True
        if str(_commit(repository, branch).id) != commit:
            raise UserError(f"There is a branch {branch} already, at another commit.", "Rename it and try again.")
        return False


def drop_branch(checkout: Checkout, branch: str, commit: CommitId) -> None:
    """Removes a branch that is where it is expected to be."""
    with opening.attempting(f"remove the branch {branch}"):
        repository = opening.repository(checkout.common_dir)
        if str(_commit(repository, branch).id) == commit:
            repository.references.delete(f"refs/heads/{branch}")


def _unwritable(
    repository: Repository, checkout: Checkout, between: tuple[bytes, bytes], command: str
) -> Refused | None:
    """Refuses to write what only git, in the person's own hands, can."""
    return _held(repository, checkout, between, command) or _left_out(repository, checkout, between, command)


def _left_out(repository: Repository, checkout: Checkout, between: tuple[bytes, bytes], command: str) -> Refused | None:
    """Refuses to write files that a sparse checkout leaves out, or new ones in a folder of which it has nothing."""
    if not features.is_true(repository.config, "core.sparseCheckout"):
        return None
    index = indexes.read(f"{checkout.git_dir}/index")
    present = {folder for path, row in index.rows() if not row.absent for folder in _above(path)}
    absent = {folder for path, row in index.rows() if row.absent for folder in _above(path)} - present
    paths = tuple(
        os.fsdecode(path)
        for path, _, _ in trees.difference(repository, *between)
        if (row.absent if (row := index.get(path)) is not None else not absent.isdisjoint(_above(path)))
    )
    if not paths:
        return None
    return Refused(f"Your sparse checkout leaves these files out: run {command} yourself, or add them to it.", paths)


def _above(path: bytes) -> Iterator[bytes]:
    """Yields the folders that a path lies in."""
    while path := path.rpartition(b"/")[0]:
        yield path


def _held(repository: Repository, checkout: Checkout, between: tuple[bytes, bytes], command: str) -> Refused | None:
    """Refuses to write files that pass through a filter on either side."""
    holding = held.of_trees(repository, checkout.common_dir, between)
    rows = [(path, holding.why(path)) for path, _, _ in trees.difference(repository, *between)]
    paths = tuple(os.fsdecode(path) for path, why in rows if why)
    if not paths:
        return None
    through = " and ".join(sorted({why for _, why in rows if why}))
    return Refused(f"These files pass through {through}, which only git may write: run {command} yourself.", paths)


def _blocked(paths: Sequence[str], protected: frozenset[str]) -> Refused | None:
    """Says which files are in the way, and what to do about them."""
    unsaved = tuple(path for path in paths if path in protected)
    if unsaved:
        return Refused("These files have unsaved changes in an editor; save or undo them first.", unsaved)
    if paths:
        return Refused(
            "These files have changes that are not committed; commit, stash or move them first.", tuple(paths)
        )
    return None


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
