"""Git in memory; see `effects.git.Git`. What it refuses, it refuses in the words of the real one."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.git import checkpoints, cloning, commits, including, past, worktrees
from agentos_lsp.effects.git.orphans import Orphan, Unmerged
from agentos_lsp.effects.git.repository import Checkout, Identity
from agentos_lsp.effects.git.worktrees import Worktree
from agentos_lsp.effects.simulated import merging, tracking
from agentos_lsp.effects.simulated.confinement import NoGit
from agentos_lsp.effects.simulated.objects import Commit, Folder, compared, differing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from agentos_lsp.domain import diff
    from agentos_lsp.domain.ids import CommitId, SessionId


class Git(merging.Merges):
    """The demo's repository behind the door to git: whatever folder is asked for, it is the one that is found.

    Args:
        objects: The repository.
    """

    def probe(self, path: str) -> Checkout:
        """Describes the person's checkout."""
        del path
        its = self._objects
        with its.lock:
            head = its.branches[its.branch]
            return Checkout(its.root, its.common_dir, its.common_dir, its.branch, head, its.branch, False, ())

    def resolve(self, checkout: Checkout, branch: str) -> CommitId | None:
        """Returns where a branch is."""
        del checkout
        return self._objects.branches.get(branch)

    def identity(self, checkout: Checkout) -> Identity:
        """Returns who makes commits."""
        del checkout
        return self._objects.author

    def common_ancestor(self, checkout: Checkout, one: CommitId, other: CommitId) -> CommitId | None:
        """Returns the last commit that two have in common."""
        del checkout
        with self._objects.lock:
            return self._objects.base_of(one, other)

    def hooks_folder(self, common_dir: str) -> str:
        """Returns that no folder of the tree holds hooks."""
        del common_dir
        return ""

    def create_worktree(
        self,
        checkout: Checkout,
        folder: str,
        branch: str,
        commit: CommitId,
        *,
        lock_reason: str,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
        shelf: str,
    ) -> Worktree | None:
        """Makes a folder with a commit's files, on a branch of its own."""
        del lock_reason, shelf
        its = self._objects
        with its.lock:
            if branch in its.branches or folder in its.folders:
                hint = "Start the session under another name."
                raise UserError(f"There is a branch or folder of the name {branch} already.", hint)
            files = dict(its.tree(commit))
            for done in range(len(files) + 1):
                if cancelled():
                    return None
                progress(done, len(files))
            its.branches[branch] = commit
            its.folders[folder] = Folder(files)
        return Worktree(folder, f"{checkout.common_dir}/worktrees/{posixpath.basename(branch)}", branch, commit)

    def remove_worktree(self, worktree: Worktree, *, delete_branch: bool) -> None:
        """Forgets a folder, and its branch."""
        with self._objects.lock:
            self._objects.folders.pop(worktree.folder, None)
            if delete_branch:
                self._objects.branches.pop(worktree.branch, None)

    def empty_trash(self, folder: str) -> int:
        """Has nothing to do: what was removed is gone."""
        del folder
        return 0

    def restock(self, checkout: Checkout, shelf: str, count: int, nice: int, cancelled: Callable[[], bool]) -> bool:
        """Makes no spares: a folder in memory is made at once."""
        del checkout, shelf, count, nice, cancelled
        return False

    def include(self, checkout: Checkout, worktree: Worktree, wanted: Sequence[str]) -> including.Included:
        """Copies nothing: the checkout has no ignored files."""
        del checkout, worktree, wanted
        return including.Included((), ())

    def clone_folders(
        self, checkout: Checkout, worktree: Worktree, folders: Sequence[str], cancelled: Callable[[], bool]
    ) -> cloning.Cloned:
        """Clones nothing: the checkout has no ignored folders."""
        del checkout, worktree, folders, cancelled
        return cloning.Cloned((), ())

    def orphans(self, state_folder: str, checkout: Checkout, live: AbstractSet[SessionId]) -> tuple[Orphan, ...]:
        """Finds nothing: no other process was ever here."""
        del state_folder, checkout, live
        return ()

    def remove_orphan(self, orphan: Orphan, common_dir: str) -> None:
        """Has nothing to remove."""
        del orphan, common_dir

    def base_text(self, common_dir: str, commit: CommitId, path: str) -> bytes | None:
        """Returns a file as a commit or tree holds it."""
        del common_dir
        with self._objects.lock:
            side = self._objects.tree(commit).get(path)
        return None if side is None else side.data

    def between(self, common_dir: str, old: str, new: str) -> tuple[diff.FileChange, ...]:
        """Returns what differs between two commits or trees."""
        del common_dir
        with self._objects.lock:
            return compared(self._objects.tree(old), self._objects.tree(new))

    def paths_between(self, common_dir: str, old: str, new: str) -> tuple[str, ...]:
        """Returns the paths that differ between two commits or trees."""
        del common_dir
        with self._objects.lock:
            return tuple(differing(self._objects.tree(old), self._objects.tree(new)))

    def changes(self, worktree: Worktree, base: CommitId) -> tuple[diff.FileChange, ...]:
        """Returns what differs between a commit and a folder's files."""
        with self._objects.lock:
            return compared(self._objects.tree(base), self._objects.present(worktree.folder, base))

    def changed_paths(self, worktree: Worktree, base: CommitId) -> tuple[str, ...]:
        """Returns the paths that differ."""
        with self._objects.lock:
            return tuple(differing(self._objects.tree(base), self._objects.present(worktree.folder, base)))

    def for_folder(self, common_dir: str, folder: str, path: str, data: bytes) -> bytes:
        """Returns the same bytes: nothing is converted."""
        del common_dir, folder, path
        return data

    def held(
        self, worktree: Worktree, paths: Iterable[str], commits: Iterable[str], git_dir: str = ""
    ) -> dict[str, str]:
        """Returns nothing: no filter is known here."""
        del worktree, paths, commits, git_dir
        return {}

    def tracked(self, worktree: Worktree, base: CommitId) -> tracking.Tracked:
        """Follows a folder's change."""
        return tracking.Tracked(self._objects, worktree, base)

    def stage_tree(
        self, worktree: Worktree, paths: Sequence[str] | None, known: Sequence[str] | None = None
    ) -> commits.Staged:
        """Makes the tree that a commit would have."""
        del known
        its = self._objects
        with its.lock:
            if worktree.branch not in its.branches:
                hint = f"Restore it (`git branch {worktree.branch} {worktree.base}`) or discard the session."
                raise UserError(f"The session's branch {worktree.branch} is gone.", hint)
            parent = its.branches[worktree.branch]
            held, there = its.tree(parent), its.present(worktree.folder, parent)
            changed = differing(held, there)
            wanted = changed if paths is None else [path for path in changed if any(_is_at(path, one) for one in paths)]
            for path in paths or ():
                if not any(_is_at(one, path) for one in changed):
                    hint = "It is unchanged, ignored, or not there; leave it out or name what changed."
                    raise UserError(f"{path} has nothing to commit.", hint)
            tree = {path: side for path, side in held.items() if path not in wanted}
            tree |= {path: there[path] for path in wanted if path in there}
            return commits.Staged(its.keep(tree), parent, tuple(wanted))

    def commit(
        self,
        worktree: Worktree,
        staged: commits.Staged,
        message: str,
        author: Identity,
        trailers: Mapping[str, str],
        at: datetime,
    ) -> CommitId:
        """Makes the commit and moves the session's branch to it."""
        if not message.strip() or "\0" in message:
            raise UserError("The commit has no usable message.", "Say in one line what the commit does.")
        its = self._objects
        with its.lock:
            if its.commits[staged.parent].tree == staged.tree:
                raise UserError("There is nothing to commit.", "Change something first, or leave the commit out.")
            text = commits.with_trailers(message, trailers)
            made = Commit(staged.tree, (staged.parent,), text, author, at)
            return self._objects.move(worktree.branch, staged.parent, its.add(made))

    def advance(self, worktree: Worktree, old: CommitId, new: CommitId, why: str) -> None:
        """Moves the session's branch to a commit that is there already."""
        del why
        with self._objects.lock:
            self._objects.move(worktree.branch, old, new)

    def agents_git(self, folder: str) -> NoGit:
        """Returns a git directory that is never made."""
        del folder
        return NoGit()

    def unmerged(self, worktree: Worktree, into: str | None) -> Unmerged:
        """Returns what would be lost if a session were discarded."""
        its = self._objects
        with its.lock:
            head = its.branches.get(worktree.branch)
            others = (
                [into] if into is not None else [name for name in its.branches if not name.startswith(worktrees.PREFIX)]
            )
            reached = {one for name in others if name in its.branches for one in its.ancestors(its.branches[name])}
            own = () if head is None else tuple(one for one in its.ancestors(head) if one not in reached)
            there = worktree.folder in its.folders
            return Unmerged(own, self.changed_paths(worktree, head or worktree.base) if there else ())

    def branch_tip(self, worktree: Worktree) -> CommitId | None:
        """Returns where the session's branch is."""
        return self._objects.branches.get(worktree.branch)

    def since(self, git_dir: str, base: CommitId, tip: CommitId) -> tuple[past.Made, ...] | None:
        """Returns the commits that lead from one to another."""
        del git_dir
        its = self._objects
        with its.lock:
            if base not in set(its.ancestors(tip)):
                return None
            rows = [(one, its.commits[one]) for one in its.chain(base, tip)]
            return tuple(past.Made(one, commit.parents[0], commit.message) for one, commit in rows)

    def keep(self, worktree: Worktree, kind: str, commit: CommitId) -> str:
        """Keeps a commit under a ref of ours."""
        name = f"refs/agentos/{worktree.branch.partition('/')[2]}/{kind}/{commit[:12]}"
        self._objects.references[name] = commit
        return name

    def put_back(self, worktree: Worktree, tip: CommitId, to: CommitId) -> bool:
        """Moves the session's branch back, if it is where it was."""
        with self._objects.lock:
            if self._objects.branches.get(worktree.branch) != tip:
                return False
            self._objects.branches[worktree.branch] = to
            return True

    def keep_branch(self, checkout: Checkout, branch: str, commit: CommitId) -> bool:
        """Gives commits a branch, and tells whether it had to be made."""
        del checkout
        with self._objects.lock:
            there = self._objects.branches.get(branch)
            if there not in {None, commit}:
                words = f"There is a branch {branch} already, at another commit."
                raise UserError(words, "Rename it and try again.")
            self._objects.branches[branch] = commit
            return there is None

    def drop_branch(self, checkout: Checkout, branch: str, commit: CommitId) -> None:
        """Removes a branch that is where it is expected to be."""
        del checkout
        with self._objects.lock:
            if self._objects.branches.get(branch) == commit:
                del self._objects.branches[branch]

    def take_checkpoint(
        self, worktree: Worktree, before: CommitId, name: str, message: str, author: Identity, at: datetime
    ) -> checkpoints.Checkpoint | None:
        """Keeps a folder's files as they are now."""
        its = self._objects
        with its.lock:
            there = its.present(worktree.folder, before)
            changed = differing(its.tree(before), there)
            if not changed:
                return None
            made = its.add(Commit(its.keep(there), (worktree.base,), message.strip() + "\n", author, at))
            its.references[name] = made
            return checkpoints.Checkpoint(made, len(changed), ())

    def keep_removed(
        self, worktree: Worktree, tip: CommitId, name: str, author: Identity, at: datetime
    ) -> checkpoints.Kept:
        """Keeps all that a session holds as one commit on top of its branch."""
        with (its := self._objects).lock:
            there = its.present(worktree.folder, tip) if worktree.folder in its.folders else its.tree(tip)
            text = f"What {worktree.branch} held when it was discarded\n"
            its.references[name] = its.add(Commit(its.keep(there), (tip,), text, author, at))
            return checkpoints.Kept(its.references[name])

    def restore(self, worktree: Worktree, now: str, target: str) -> checkpoints.Restored:
        """Replaces the files of one checkpoint by those of another; what is not as in the first stays."""
        its = self._objects
        with its.lock:
            there, held, wanted = its.folder(worktree.folder), its.tree(now), its.tree(target)
            kept = []
            paths = differing(held, wanted)
            for path in paths:
                if there.files.get(path) != held.get(path) and there.files.get(path) != wanted.get(path):
                    kept.append(path)
                elif path in wanted:
                    there.put(path, wanted[path])
                else:
                    there.files.pop(path, None)
            return checkpoints.Restored(len(paths) - len(kept), tuple(kept))

    def prune(self, common_dir: str, session: str, numbers: Iterable[int]) -> None:
        """Lets go of checkpoints."""
        del common_dir
        for number in numbers:
            self._objects.references.pop(checkpoints.reference(session, number), None)


def _is_at(path: str, named: str) -> bool:
    """Whether a path is what somebody named, or lies below it."""
    wanted = named.strip("/")
    return path == wanted or path.startswith(f"{wanted}/")
