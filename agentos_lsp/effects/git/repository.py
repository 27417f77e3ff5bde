"""A person's checkout: found, described, and refused with words where a session could not work on it."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import DiffOption

from agentos_lsp.domain.errors import UserError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import features, opening


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working folder of a repository, the person's own; it may itself be a linked worktree. Paths are absolute."""

    root: str
    git_dir: str
    common_dir: str
    branch: str | None
    """The branch that is checked out, without `refs/heads/`; None if HEAD is detached."""
    head: CommitId
    default_branch: str | None
    """A guess at the branch that others start from."""
    shallow: bool
    submodules: tuple[str, ...]
    """Where submodules are; a session's worktree has empty folders there."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who makes a commit."""

    name: str
    email: str


def probe(path: str) -> Checkout:
    """Finds the repository that a folder belongs to, and describes its checkout.

    Args:
        path: A folder, absolute; any folder inside of a checkout.

    Raises:
        UserError: There is no repository, or sessions cannot work on it; says what to do.
        EffectError: git failed in a way that is not about the repository's features.
    """
    with opening.attempting(f"look for a repository at {path}"):
        repository = _found(path)
        if repository.is_bare or repository.workdir is None:
            raise UserError(
                f"{path} is a bare repository, which has no files to work on.",
                "Open a checkout of it: `git clone` it, or `git worktree add` a folder, and open that.",
            )
        if repository.head_is_unborn:
            raise UserError(
                "The repository has no commit yet, so a session has nothing to start from.",
                'Make a first commit (`git add -A && git commit -m "Start"`) and try again.',
            )
        git_dir = os.path.realpath(repository.path)
        root = os.path.realpath(repository.workdir)
        common_dir = _common_dir(git_dir)
        commit = repository.head.peel(pygit2.Commit)
        submodules = features.refuse_unsupported(repository, common_dir, commit.tree_id.raw)
        return Checkout(
            root=root,
            git_dir=git_dir,
            common_dir=common_dir,
            branch=None if repository.head_is_detached else repository.head.shorthand,
            head=CommitId(str(commit.id)),
            default_branch=_default_branch(repository),
            shallow=repository.is_shallow,
            submodules=submodules,
        )


def _found(path: str) -> opening.Repository:
    """Opens the repository around a path, in words where it cannot be opened."""
    try:
        found = pygit2.discover_repository(path)
    except (KeyError, pygit2.GitError):
        found = None
    if found is None:
        raise UserError(
            f"{path} is not inside a git repository.",
            "Open a folder of a git checkout, or run `git init` and make a first commit.",
        )
    try:
        return opening.repository(os.path.realpath(found))
    except pygit2.GitError as error:
        raise features.unopenable(found, str(error)) from error


def _common_dir(git_dir: str) -> str:
    """Returns the git directory that all worktrees of a repository share."""
    try:
        shared = os.fsdecode(Path(git_dir, "commondir").read_bytes()).rstrip("\n")
        return os.path.realpath(f"{git_dir}/{shared}" if not shared.startswith("/") else shared)
    except FileNotFoundError:
        return git_dir


def _default_branch(repository: opening.Repository) -> str | None:
    """Guesses the main branch: where the remote's HEAD points, else a usual name, else the only branch."""
    try:
        target = repository.lookup_reference("refs/remotes/origin/HEAD").target
        if isinstance(target, str):
            return target.removeprefix("refs/remotes/origin/")
    except KeyError:
        pass
    branches = [name for name in repository.branches.local if not name.startswith("agentos/")]
    for usual in ("main", "master", "trunk", "develop"):
        if usual in branches:
            return usual
    return branches[0] if len(branches) == 1 else None


def identity(checkout: Checkout) -> Identity:
    """Returns the name and address that the person's git would commit with.

    Raises:
        EffectError: The configuration cannot be read.
    """
    with opening.attempting("read the git configuration"):
        config = opening.repository(checkout.git_dir).config
        return Identity(
            _setting(config, "user.name") or "AgentOS", _setting(config, "user.email") or "agentos@localhost"
        )


def hooks_folder(common_dir: str) -> str:
    """Returns the folder of the tree where git looks for hooks, relative to its root; empty if it is not in the tree.

    Source: git-config(1), core.hooksPath: a relative path is relative to where hooks run, the root of the worktree.

    Raises:
        EffectError: The configuration cannot be read.
    """
    with opening.attempting("read the git configuration"):
        given = _setting(opening.repository(common_dir).config, "core.hooksPath") or ""
    root = posixpath.dirname(common_dir)
    folder = posixpath.relpath(posixpath.join(root, given), root) if given and not given.startswith("~") else ""
    return "" if folder in {"", "."} or folder.split("/")[0] in {"..", ".git"} else folder


def _setting(config: pygit2.Config, name: str) -> str | None:
    try:
        return config[name]
    except KeyError:
        return None


def uncommitted(checkout: Checkout) -> tuple[str, ...]:
    """Lists the tracked paths of the person's checkout that differ from its HEAD, sorted.

    Costs a stat of every tracked file, without the interpreter lock.

    Raises:
        EffectError: git failed.
    """
    with opening.attempting("compare the checkout with its HEAD"):
        repository = opening.repository(checkout.git_dir)
        index = repository.index
        index.read()
        flags = DiffOption.INCLUDE_TYPECHANGE | DiffOption.IGNORE_SUBMODULES
        staged = index.diff_to_tree(repository.head.peel(pygit2.Tree), flags, 0, 0)
        unstaged = index.diff_to_workdir(flags, 0, 0)
        found = {delta.new_file.raw_path for diff in (staged, unstaged) for delta in diff.deltas}
        return tuple(sorted(os.fsdecode(path) for path in found))


def common_ancestor(checkout: Checkout, one: CommitId, other: CommitId) -> CommitId | None:
    """Returns the last commit that two have in common, None if there is none."""
    if one == other:
        return one
    with opening.attempting(f"find what {one} and {other} have in common"):
        repository = opening.repository(checkout.common_dir)
        found: object = repository.merge_base(pygit2.Oid(hex=one), pygit2.Oid(hex=other))
        return CommitId(str(found)) if isinstance(found, pygit2.Oid) else None


def resolve(checkout: Checkout, branch: str) -> CommitId | None:
    """Returns the commit that a local branch points to, or None if there is no such branch."""
    with opening.attempting(f"look up the branch {branch}"):
        try:
            found = opening.repository(checkout.common_dir).lookup_reference(f"refs/heads/{branch}")
        except KeyError:
            return None
        return CommitId(str(found.peel(pygit2.Commit).id))
