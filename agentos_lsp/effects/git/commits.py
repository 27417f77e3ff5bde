"""Commits on a session's branch: staged from bytes read beneath the worktree; the branch moves from known to new.

Staging and committing are two steps so that what was inspected (`changes.between(common_dir, staged.parent,
staged.tree)`) is byte for byte what is committed.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import blobs, changes, opening, staging, trees, worktrees

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Identity
    from agentos_lsp.effects.git.worktrees import Worktree

_TRAILER = re.compile(r"[A-Za-z0-9-]+: \S.*")


@dataclass(frozen=True, slots=True)
class Staged:
    """A tree ready to be committed on top of `parent`; its objects are in the repository, no branch has moved."""

    tree: str
    parent: CommitId
    paths: tuple[str, ...]
    """What differs from the parent, sorted."""


def stage_tree(worktree: Worktree, paths: Sequence[str] | None, known: Sequence[str] | None = None) -> Staged:
    """Writes the tree that a commit would have, without the git index and without following a link.

    Args:
        worktree: Whose files are read.
        paths: Files or folders, relative to the root; None for everything that is not ignored.
        known: All that may differ from where the session began, as in `live.Current.differing`; None to sweep for it.

    Raises:
        UserError: A path has no change, or is a nested repository; the branch is gone.
        EffectError: A file or git failed.
    """
    with opening.attempting(f"stage changes of {worktree.branch}"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        parent = _head(repository, worktree)
        rows = changes.selected(changes.candidates(worktree, parent, limit=None, known=known), paths)
        _refuse_unselected(rows, paths or ())
        edits: dict[bytes, trees.Entry | None] = {}
        for row in rows:
            if row.nested:
                raise UserError(
                    f"{os.fsdecode(row.path)} is a git repository of its own, which cannot be committed.",
                    "Delete its .git folder if its files belong here, or add the folder to .gitignore.",
                )
            if any(trees.is_forbidden(name) for name in row.path.split(b"/")):
                raise UserError(
                    f"{os.fsdecode(row.path)} has a name that git keeps for itself, so it cannot be committed.",
                    "Rename it or leave it out.",
                )
            edits[row.path] = None
            if row.mode is not None and row.data is not None:
                edits[row.path] = trees.Entry(row.mode, blobs.write(repository, worktree.common_dir, row.data))
        began = trees.tree_of(repository, parent)
        tree = trees.edited(repository, began, edits) or trees.empty(repository)
        return Staged(tree.hex(), parent, tuple(os.fsdecode(path) for path in sorted(edits)))


def _refuse_unselected(rows: Sequence[changes.Candidate], paths: Sequence[str]) -> None:
    for path in paths:
        if not changes.selected(rows, [path]):
            raise UserError(
                f"{path} has nothing to commit.",
                "It is unchanged, ignored, or not there; leave it out or name what changed.",
            )


def _head(repository: Repository, worktree: Worktree) -> CommitId:
    """Returns where the session's branch is, as the repository says; the worktree's HEAD is not asked."""
    try:
        return CommitId(str(repository.lookup_reference(f"refs/heads/{worktree.branch}").peel(pygit2.Commit).id))
    except KeyError as error:
        raise UserError(
            f"The session's branch {worktree.branch} is gone.",
            f"Restore it (`git branch {worktree.branch} {worktree.base}`) or discard the session.",
        ) from error


def commit(
    worktree: Worktree,
    staged: Staged,
    message: str,
    author: Identity,
    trailers: Mapping[str, str],
    at: datetime,
) -> CommitId:
    """Makes the commit, moves the session's branch to it, and lets `git status` in the worktree know.

    Hooks do not run and the commit is not signed.

    Args:
        worktree: Whose branch moves.
        staged: From `stage_tree`.
        message: What the agent says; trailers are added below it.
        author: Author and committer.
        trailers: Lines for machines, such as `AgentOS-Session`.
        at: When, with its time zone.

    Raises:
        UserError: There is nothing to commit or no message; the agent left its branch, or the branch moved meanwhile.
        EffectError: Another git command holds the worktree's index (a retry may help), or git failed.
    """
    if not message.strip() or "\0" in message:
        raise UserError("The commit has no usable message.", "Say in one line what the commit does.")
    with opening.attempting(f"commit on {worktree.branch}"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        if worktrees.checked_out(worktree.admin_dir) != worktree.branch:
            raise UserError(
                f"The worktree is no longer on its branch {worktree.branch}.",
                f"Run `git switch {worktree.branch}` in it and commit again.",
            )
        began, tree = trees.tree_of(repository, staged.parent), bytes.fromhex(staged.tree)
        if began == tree:
            raise UserError("There is nothing to commit.", "Change something first, or leave the commit out.")
        who = signature(author, at)
        text = with_trailers(message, trailers)
        with _locked_index(worktree):
            _write_next_index(repository, worktree, began, tree)
            made = repository.create_commit(None, who, who, text, pygit2.Oid(raw=tree), [pygit2.Oid(hex=staged.parent)])
            move_branch(repository, worktree.branch, staged.parent, made, f"commit: {text.partition(chr(10))[0]}")
            Path(_next(worktree)).replace(f"{worktree.admin_dir}/index")
        return CommitId(str(made))


def advance(worktree: Worktree, old: CommitId, new: CommitId, why: str) -> None:
    """Moves the session's branch to a commit that is in the repository already, and lets `git status` know.

    Raises:
        UserError: The branch is no longer at `old`.
        EffectError: Another git command holds the worktree's index (a retry may help), or git failed.
    """
    with opening.attempting(f"move {worktree.branch} to {new}"):
        repository = opening.repository(worktree.common_dir, worktree.folder)
        before, after = trees.tree_of(repository, old), trees.tree_of(repository, new)
        with _locked_index(worktree):
            _write_next_index(repository, worktree, before, after)
            move_branch(repository, worktree.branch, old, pygit2.Oid(hex=new), why)
            Path(_next(worktree)).replace(f"{worktree.admin_dir}/index")


def signature(who: Identity, at: datetime) -> pygit2.Signature:
    """Returns git's form of a person and a moment; characters that git forbids in names are left out."""
    offset = at.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    name = re.sub(r"[<>\n\0]", "", who.name).strip() or "AgentOS"
    email = re.sub(r"[<>\n\0\s]", "", who.email) or "agentos@localhost"
    return pygit2.Signature(name, email, int(at.timestamp()), minutes)


def with_trailers(message: str, trailers: Mapping[str, str]) -> str:
    """Returns a message that ends in its trailers, one block, each on one line. Source: git-interpret-trailers."""
    text = message.strip()
    rows = [f"{key}: {' '.join(value.split())}" for key, value in trailers.items()]
    if not rows:
        return f"{text}\n"
    head, _, last = text.rpartition("\n\n")
    joined = "\n" if head and all(_TRAILER.fullmatch(row) for row in last.splitlines()) else "\n\n"
    return text + joined + "\n".join(rows) + "\n"


def move_branch(repository: Repository, branch: str, old: CommitId, new: pygit2.Oid, why: str) -> None:
    """Moves a branch from one commit to another.

    Raises:
        UserError: It is no longer where it was, or gone.
    """
    moved = UserError(
        f"The branch {branch} moved while this was under way; nothing was changed on it.",
        "Look at what is new on it and try again.",
    )
    try:
        reference = repository.lookup_reference(f"refs/heads/{branch}")
        if str(reference.target) != old:
            raise moved
        # libgit2 compares again under the reference's lock: `git_reference_set_target` matches the value it read.
        reference.set_target(new, why)
    except KeyError as error:
        raise moved from error
    except pygit2.GitError as error:
        if "does not match" not in str(error):
            raise
        raise moved from error


def _next(worktree: Worktree) -> str:
    """Names the index in the making."""
    return f"{worktree.admin_dir}/agentos-index-next"


@contextlib.contextmanager
def _locked_index(worktree: Worktree) -> Iterator[None]:
    """Keeps git commands in the worktree from changing its index. Source: git's lockfile protocol."""
    lock = f"{worktree.admin_dir}/index.lock"
    try:
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666))
    except FileExistsError as error:
        reason = f"another git command is at work in the worktree; if none is, delete {lock}"
        raise EffectError("git", f"commit on {worktree.branch}", reason, retry_may_help=True) from error
    try:
        yield
    finally:
        Path(lock).unlink(missing_ok=True)
        Path(_next(worktree)).unlink(missing_ok=True)


def _write_next_index(repository: Repository, worktree: Worktree, old: bytes, new: bytes) -> None:
    """Writes the worktree's index with what is committed, beside it; what else the agent staged is kept."""
    data = staging.staged(repository, worktrees.read_index(worktree), old, new)
    Path(_next(worktree)).unlink(missing_ok=True)
    with Path(_next(worktree)).open("xb") as file:
        file.write(data)
        file.flush()
        # What changed since git last looked must not seem older than the index now.
        with contextlib.suppress(FileNotFoundError):
            written_ns = os.lstat(f"{worktree.admin_dir}/index").st_mtime_ns
            os.utime(file.fileno(), ns=(written_ns, written_ns))
