"""What merging does to the demo's repository; see `effects.git.merges`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.effects.git import commits, merges, updating, worktrees
from agentos_lsp.effects.simulated import joining
from agentos_lsp.effects.simulated.objects import Commit, differing

if TYPE_CHECKING:
    from datetime import datetime

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git.repository import Checkout, Identity
    from agentos_lsp.effects.simulated.objects import Objects


class Merges:
    """The half of the door to git that merges.

    Args:
        objects: The repository.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def preview(
        self, checkout: Checkout, session_branch: str, into: str, strategy: merges.Strategy = "merge"
    ) -> merges.MergePreview:
        """Works out what a merge would do."""
        del checkout
        with self._objects.lock:
            return self._planned(session_branch, into, strategy)[0]

    def _planned(
        self, session_branch: str, into: str, strategy: merges.Strategy
    ) -> tuple[merges.MergePreview, CommitId]:
        """Returns what a merge would do, and the commit that the branch would be moved to if none is made for it."""
        its = self._objects
        ours, theirs = its.tip(into), its.tip(session_branch)
        base = its.base_of(ours, theirs)
        if base == theirs:
            return merges.MergePreview("up-to-date", (), (), its.commits[ours].tree), ours
        held = its.tree(ours)
        if base == ours:
            tree = its.commits[theirs].tree
            return merges.MergePreview("fast-forward", (), tuple(differing(held, its.trees[tree])), tree), theirs
        if strategy == "rebase":
            return self._replayed(session_branch, ours, theirs, base)
        joined, conflicts = joining.join({} if base is None else its.tree(base), held, its.tree(theirs))
        if conflicts:
            return merges.MergePreview("merge", conflicts, (), None), theirs
        return merges.MergePreview("merge", (), tuple(differing(held, joined)), its.keep(joined)), theirs

    def _replayed(
        self, session_branch: str, ours: CommitId, theirs: CommitId, base: CommitId | None
    ) -> tuple[merges.MergePreview, CommitId]:
        """Makes each commit of a session anew on top of another branch."""
        its = self._objects
        trailers = {"AgentOS-Session": session_branch.removeprefix(worktrees.PREFIX)}
        tip, tree = ours, its.tree(ours)
        for one in its.chain(base, theirs):
            commit = its.commits[one]
            joined, conflicts = joining.join(its.tree(commit.parents[0]), tree, its.tree(one))
            if conflicts:
                return merges.MergePreview("merge", conflicts, (), None), ours
            if joined == tree:
                continue
            missing = {key: value for key, value in trailers.items() if f"{key}: {value}" not in commit.message}
            text = commits.with_trailers(commit.message, missing) if missing else commit.message
            tip, tree = its.add(Commit(its.keep(joined), (tip,), text, commit.author, commit.at)), joined
        kind: merges.Kind = "up-to-date" if tip == ours else "merge"
        return merges.MergePreview(kind, (), tuple(differing(its.tree(ours), tree)), its.keep(tree)), tip

    def hindrance(
        self, checkout: Checkout, found: merges.MergePreview, into: str, protected_paths: frozenset[str]
    ) -> merges.Refused | None:
        """Tells what would stop a previewed merge: files of the person."""
        del checkout
        with self._objects.lock:
            if found.tree is None or into != self._objects.branch:
                return None
            return self._blocked(self._objects.tip(into), found.tree, protected_paths)

    def _blocked(self, old: str, new: str, protected: frozenset[str]) -> merges.Refused | None:
        """Says which files of the checkout are in the way."""
        its = self._objects
        before, after, there = its.tree(old), its.tree(new), its.folders[its.root].files
        changed = [path for path in differing(before, after) if there.get(path) != after.get(path)]
        unsaved = tuple(path for path in changed if path in protected)
        if unsaved:
            words = "These files have unsaved changes in an editor; save or undo them first."
            return merges.Refused(words, unsaved)
        edited = tuple(path for path in changed if there.get(path) != before.get(path))
        words = "These files have changes that are not committed; commit, stash or move them first."
        return merges.Refused(words, edited) if edited else None

    def merge(  # noqa: PLR0913 - as the real door
        self,
        checkout: Checkout,
        session_branch: str,
        into: str,
        strategy: merges.Strategy,
        message: str,
        author: Identity,
        at: datetime,
        *,
        protected_paths: frozenset[str],
        watch: updating.Watch = updating.UNWATCHED,
        proven: str | None = None,
        inspected: CommitId | None = None,
    ) -> merges.Merged | merges.Refused | merges.Conflicted:
        """Merges a session's branch into another, and updates the checkout's files if it is checked out."""
        del checkout
        its = self._objects
        with its.lock:
            found, tip = self._planned(session_branch, into, strategy)
            ours, theirs = its.tip(into), its.tip(session_branch)
            if found.tree is None:
                return merges.Conflicted(found.conflicts)
            if proven not in {None, found.tree} or inspected not in {None, theirs}:
                return merges.Refused(f"{into} or the session moved while the checks ran; merge again.")
            if found.kind == "up-to-date":
                return merges.Merged(ours, ())
            if strategy == "fast-forward" and found.kind != "fast-forward":
                words = f"{into} has commits that {session_branch} lacks; choose a merge commit, a rebase or a squash."
                return merges.Refused(words)
            refused = self._update(into, (ours, found.tree), protected_paths, watch)
            if refused is not None:
                return refused
            if strategy in {"merge", "squash"}:
                parents = (ours, theirs) if strategy == "merge" else (ours,)
                tip = its.add(Commit(found.tree, parents, message.strip() + "\n", author, at))
            return merges.Merged(its.move(into, ours, tip), found.paths)

    def _update(
        self, into: str, between: tuple[str, str], protected: frozenset[str], watch: updating.Watch
    ) -> merges.Refused | None:
        """Brings the checkout's files from one tree to another, if the branch is checked out there."""
        its = self._objects
        try:
            watch.look(0, 0)
            if into != its.branch:
                return None
            refused = self._blocked(*between, protected)
            if refused is not None:
                return refused
            after, there = its.tree(between[1]), its.folders[its.root]
            paths = differing(its.tree(between[0]), after)
            for done in range(len(paths)):
                watch.look(done, len(paths))
        except updating.CancelledError:
            return merges.Refused("The merge was cancelled; nothing was changed.")
        for path in paths:
            if path in after:
                there.put(path, after[path])
            else:
                there.files.pop(path, None)
        return None

    def undo(
        self, checkout: Checkout, into: str, made: CommitId, before: CommitId, protected: frozenset[str]
    ) -> merges.Refused | None:
        """Moves a branch back to where it was before a merge."""
        del checkout
        its = self._objects
        with its.lock:
            now = its.tip(into)
            if now == before:
                return None
            if now != made:
                on_top = made in set(its.ancestors(now))
                what = "has commits on top of the merge" if on_top else "was moved since"
                return merges.Refused(f"{into} {what}; revert the merge commit instead (`git revert`).")
            refused = self._update(into, (now, before), protected, updating.UNWATCHED)
            if refused is None:
                its.move(into, made, before)
            return refused

    def merged_commit(
        self, checkout: Checkout, into: str, before: CommitId, source: CommitId, mark: str, *, rebased: bool = False
    ) -> CommitId | None:
        """Tells how a merge ended that has a beginning only: as here none is ever cut off, by what the branch holds."""
        del checkout, rebased
        its = self._objects
        with its.lock:
            tip = its.branches.get(into)
            if tip is None or tip == before:
                return None
            is_made = source in set(its.ancestors(tip)) or mark in its.commits[tip].message
            return tip if is_made else None
