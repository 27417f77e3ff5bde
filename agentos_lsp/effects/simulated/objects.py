"""A repository in memory: commits, branches, and the files of its folders. It has no links and no submodules."""

from __future__ import annotations

import hashlib
import posixpath
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff, patterns
from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.domain.ids import CommitId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from agentos_lsp.effects.git.repository import Identity

Tree = dict[str, diff.Side]
"""Files by path. Invariant: a tree that a commit or a name refers to is never changed."""

FILE = 0o100644
PROGRAM = 0o100755
IGNORE = ".gitignore"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit; its files are in `Objects.trees` under the name `tree`."""

    tree: str
    parents: tuple[CommitId, ...]
    message: str
    author: Identity
    at: datetime


@dataclass(slots=True)
class Folder:
    """The files of one folder, and the folders in it that hold none."""

    files: Tree = field(default_factory=dict)
    empty: set[str] = field(default_factory=set)

    def has_folder(self, path: str) -> bool:
        """Whether a path is a folder here; the empty path is the root."""
        inside = f"{path}/"
        return not path or path in self.empty or any(name.startswith(inside) for name in (*self.files, *self.empty))

    def above(self, path: str) -> str | None:
        """Returns the file that stands where a path needs a folder, None if there is none."""
        parts = path.split("/")[:-1]
        steps = ("/".join(parts[: count + 1]) for count in range(len(parts)))
        return next((step for step in steps if step in self.files), None)

    def put(self, path: str, side: diff.Side) -> None:
        """Writes a file; folders that held nothing and are on its way hold something now."""
        self.files[path] = side
        self.empty = {name for name in self.empty if not f"{path}/".startswith(f"{name}/")}

    def drop(self, path: str) -> None:
        """Removes a file; a folder that this leaves empty stays."""
        del self.files[path]
        parent = posixpath.dirname(path)
        if parent and not self.has_folder(parent):
            self.empty.add(parent)


class Objects:
    """One repository and all its folders; whoever reads or changes it holds `lock`.

    Args:
        root: Where the person's checkout would be, absolute.
        files: What its first commit holds.
        author: Who made that commit.
        at: When.
    """

    def __init__(self, root: str, files: Mapping[str, str], author: Identity, at: datetime) -> None:
        self.root = root
        self.common_dir = f"{root}/.git"
        self.branch = "main"
        self.author = author
        self.lock = threading.RLock()
        self.trees: dict[str, Tree] = {}
        self.commits: dict[CommitId, Commit] = {}
        self.branches: dict[str, CommitId] = {}
        self.references: dict[str, CommitId] = {}
        self.folders: dict[str, Folder] = {}
        first = {path: diff.Side(FILE, text.encode()) for path, text in files.items()}
        tree = self.keep(first)
        self.branches[self.branch] = self.add(Commit(tree, (), "A calculator\n", author, at))
        self.folders[root] = Folder(dict(first))

    def keep(self, tree: Mapping[str, diff.Side]) -> str:
        """Keeps files as a tree and names it after its content."""
        rows = [f"{path}\0{side.mode:o}\0".encode() + (side.data or b"") for path, side in sorted(tree.items())]
        name = hashlib.sha1(b"\1".join(rows), usedforsecurity=False).hexdigest()
        self.trees.setdefault(name, dict(tree))
        return name

    def add(self, commit: Commit) -> CommitId:
        """Keeps a commit and names it after all that it says."""
        said = f"{commit.tree}{commit.parents}{commit.message}{commit.author}{commit.at.isoformat()}"
        name = CommitId(hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest())
        self.commits[name] = commit
        return name

    def tree(self, name: str) -> Tree:
        """Returns the files of a commit or a tree.

        Raises:
            EffectError: There is none of that name.
        """
        commit = self.commits.get(CommitId(name))
        found = self.trees.get(name if commit is None else commit.tree)
        if found is None:
            raise EffectError("git", f"read {name}", "there is no such object", retry_may_help=False)
        return found

    def tip(self, branch: str) -> CommitId:
        """Returns where a branch is.

        Raises:
            UserError: There is no such branch.
        """
        try:
            return self.branches[branch]
        except KeyError:
            hint = "It may have been deleted or renamed; choose another."
            raise UserError(f"There is no branch {branch}.", hint) from None

    def move(self, branch: str, old: CommitId, new: CommitId) -> CommitId:
        """Moves a branch and returns where it is.

        Raises:
            UserError: It was not where it was expected to be.
        """
        if self.branches.get(branch) != old:
            hint = "Look at what is new on it and try again."
            raise UserError(f"The branch {branch} moved while this was under way; nothing was changed on it.", hint)
        self.branches[branch] = new
        return new

    def folder(self, root: str) -> Folder:
        """Returns a folder's files.

        Raises:
            EffectError: It is gone.
        """
        try:
            return self.folders[root]
        except KeyError:
            raise EffectError("git", f"look at {root}", "it is not there", retry_may_help=False) from None

    def ancestors(self, commit: CommitId) -> Iterator[CommitId]:
        """Yields a commit and all before it, the nearest first."""
        waiting, seen = deque([commit]), {commit}
        while waiting:
            one = waiting.popleft()
            yield one
            fresh = [parent for parent in self.commits[one].parents if parent not in seen]
            seen.update(fresh)
            waiting.extend(fresh)

    def base_of(self, one: CommitId, other: CommitId) -> CommitId | None:
        """Returns the last commit that two have in common."""
        theirs = set(self.ancestors(other))
        return next((commit for commit in self.ancestors(one) if commit in theirs), None)

    def chain(self, base: CommitId | None, tip: CommitId) -> list[CommitId]:
        """Returns the commits that lead to `tip` and not to `base`, the oldest first."""
        hidden = set() if base is None else set(self.ancestors(base))
        return [commit for commit in self.ancestors(tip) if commit not in hidden][::-1]

    def present(self, root: str, base: CommitId) -> Tree:
        """Returns the files of a folder that git would keep: those of a commit, and others that are not ignored."""
        files, held = self.folder(root).files, self.tree(base)
        ignored = files.get(IGNORE)
        rules = patterns.parse(((ignored.data or b"") if ignored else b"").decode("utf-8", "replace").splitlines())
        return {path: side for path, side in files.items() if path in held or not _is_ignored(path, rules)}


def _is_ignored(path: str, rules: tuple[patterns.Pattern, ...]) -> bool:
    """Whether a file, or a folder that it lies in, is ignored."""
    parts = path.split("/")
    return any(patterns.chosen("/".join(parts[: count + 1]), rules) for count in range(len(parts)))


def differing(old: Tree, new: Tree) -> list[str]:
    """Returns the paths that differ between two trees, sorted."""
    return sorted(path for path in {*old, *new} if old.get(path) != new.get(path))


def compared(old: Tree, new: Tree) -> tuple[diff.FileChange, ...]:
    """Describes what differs between two trees."""
    return diff.compare([(path, old.get(path), new.get(path)) for path in differing(old, new)])
