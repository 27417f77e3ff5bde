"""A session's worktree: made, listed and removed as a real linked worktree, its administration written by hand.

Invariant: after creation a worktree is known by its administration folder and its branch. Nothing here, nor in the
modules that read changes or commit, believes the `.git` file, the HEAD or the index that an agent could rewrite.

Source: gitrepository-layout, `worktrees/<id>/{HEAD,commondir,gitdir,locked}`; git-worktree, "details".
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.errors import UserError
from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import (
    beneath,
    collecting,
    conversions,
    drafts,
    features,
    filling,
    held,
    opening,
    originals,
    spares,
    staging,
    trash,
    trees,
    updating,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Checkout

PREFIX = "agentos/"
"""How the branches of sessions begin."""

LARGEST_INDEX = 512 << 20
"""A larger one is not read: an agent that is not confined can write it, and it is held in memory."""

SNAPSHOT = "agentos-index"
"""In the administration folder: the index as it was at creation, which only this door reads."""

BASE = "agentos-base"
"""In the administration folder: the commit that the worktree began from. Written last, so it means "complete"."""


FAR = 100
"""Up to this many files, or a quarter of all, a spare is brought up to a session's commit; beyond, files are copied."""


@dataclass(frozen=True, slots=True)
class Worktree:
    """One session's worktree: absolute paths, its branch without `refs/heads/`, the commit it began from."""

    folder: str
    admin_dir: str
    branch: str
    base: CommitId

    @property
    def common_dir(self) -> str:
        """The git directory of the repository it belongs to."""
        return self.admin_dir.rpartition("/worktrees/")[0]


@dataclass(frozen=True, slots=True)
class Listed:
    """A session's worktree as found on disk."""

    worktree: Worktree
    head: CommitId | None
    """Where its branch is; None if the branch is gone."""
    exists: bool
    """Whether its folder is there."""
    complete: bool
    """Whether its creation came to an end; if not, no agent was ever in it."""


def create(
    checkout: Checkout,
    folder: str,
    branch: str,
    commit: CommitId,
    *,
    lock_reason: str,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
    means: filling.Means = filling.ALONE,
) -> Worktree | None:
    """Makes a locked worktree with its own branch and index, filled with a commit's files.

    A failure or a cancellation leaves nothing behind: no branch, no administration, no folder.

    Args:
        checkout: Whose repository, and whose clean files are copied.
        folder: Where to, absolute; must not exist. Missing parents are made for this user only (0700).
        branch: Its new branch, without `refs/heads/`; the last part of it names the administration.
        commit: What to start from.
        lock_reason: Shown by `git worktree list`; keeps `git worktree prune` away.
        progress: Told (files written, files in all), from this thread.
        cancelled: Asked now and then, from this thread.
        means: A spare on its shelf is moved into place; else its helpers copy.

    Returns:
        The worktree, or None if it was cancelled.

    Raises:
        UserError: The folder, the branch or the worktree's name is taken; the commit is gone; a filter failed.
        EffectError: git or the disk failed.
    """
    admin_dir = f"{checkout.common_dir}/worktrees/{branch.rpartition('/')[2]}"
    worktree = Worktree(folder, admin_dir, branch, commit)
    with opening.attempting(f"create the worktree {folder}"), contextlib.ExitStack() as undo, collecting.held_back():
        main = opening.repository(checkout.common_dir)
        _refuse_taken(main, worktree)
        _make_admin(undo, worktree, lock_reason)
        _make_branch(undo, main, worktree)
        _make_parents(undo, folder)
        undo.callback(trash.delete, folder)
        if not _moved_in(checkout, worktree, means) and not _filled(
            checkout, worktree, means, progress=progress, cancelled=cancelled
        ):
            return None
        _write(admin_dir, BASE, f"{commit}\n")
        undo.pop_all()
    return worktree


def _moved_in(checkout: Checkout, worktree: Worktree, means: filling.Means) -> bool:
    """Moves a spare into place, if there is one that is near enough to the commit; returns whether it did."""
    spare = None if means.shelf is None else spares.take(checkout, means.shelf)
    if spare is None:
        return False
    main = opening.repository(checkout.common_dir)
    try:
        old, new = trees.tree_of(main, spare.commit), trees.tree_of(main, worktree.base)
        rows = trees.difference(main, old, new)
        # Attribute files change how others look, and submodules have folders of their own: those are made anew.
        texts = features.attributes(main, checkout.common_dir, new)
        simple = not held.may_hold(main.config, texts) and not any(
            path.endswith(b".gitattributes") or trees.SUBMODULE in {was.mode if was else 0, now.mode if now else 0}
            for path, was, now in rows
        )
        if not simple or len(rows) > max(FAR, spare.files // 4):
            return False
        spare.tree.rename(worktree.folder)
        _link(worktree)
        _brought_up(opening.repository(checkout.common_dir, worktree.folder), worktree, rows)
        for source, name in zip(spare.indexes, ("index", SNAPSHOT), strict=True):
            # The shelf may be on another file system than the repository.
            path = Path(shutil.move(source, f"{worktree.admin_dir}/{name}"))
            if rows:
                path.write_bytes(staging.staged(main, path.read_bytes(), old, new))
    except (OSError, pygit2.GitError, KeyError):
        trash.delete(worktree.folder)
        for name in ("index", SNAPSHOT):
            Path(worktree.admin_dir, name).unlink(missing_ok=True)
        return False
    finally:
        spares.drop(spare.folder)
    return True


def _brought_up(repository: Repository, worktree: Worktree, rows: list[staging.Row]) -> None:
    """Writes the difference between the spare's commit and the session's, into files that no agent has touched."""
    root = beneath.open_folder(worktree.folder)
    try:
        for path, _, now in reversed(rows):
            if now is None:
                beneath.remove(root, path)
        for path, _, now in rows:
            if now is not None:
                updating.put(repository, root, path, now)
    finally:
        os.close(root)


def _filled(
    checkout: Checkout,
    worktree: Worktree,
    means: filling.Means,
    *,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> bool:
    """Makes the folder and fills it: with copies of the checkout's clean files, and from git for the rest."""
    main = opening.repository(checkout.common_dir)
    tree = trees.tree_of(main, worktree.base)
    draft = drafts.of_tree(main, tree, checkout.root, f"{checkout.git_dir}/index")
    texts = features.attributes(main, checkout.common_dir, tree)
    kept = _held(main, checkout.common_dir, tree, draft) if held.may_hold(main.config, texts) else []
    Path(worktree.folder).mkdir()
    _link(worktree)
    if not filling.fill(
        opening.repository(checkout.common_dir, worktree.folder),
        worktree.folder,
        draft,
        leave={one.at for one in kept},
        convert=conversions.may_change_checkouts(main, texts),
        progress=progress,
        cancelled=cancelled,
        means=means,
    ):
        return False
    index, snapshot = (f"{worktree.admin_dir}/{name}" for name in ("index", SNAPSHOT))
    if not kept:
        draft.write(index, snapshot)
        return True
    plain = len(draft.starts) - len(kept)

    def told(done: int) -> None:
        progress(plain + done, len(draft.starts))

    record = originals.fill(checkout, worktree, kept, draft, means, progress=told, cancelled=cancelled)
    if record is None:
        return False
    # A held file is compared with itself as it was made, so it is that whose name stands here.
    for one in kept:
        draft.rename(one.at, record.originals[one.path].raw)
    draft.write(snapshot)
    return True


def _held(main: Repository, common_dir: str, tree: bytes, draft: drafts.Draft) -> list[originals.Kept]:
    """Returns the files of a tree that are held."""
    holding = held.of_trees(main, common_dir, (tree,))
    rows = ((path, entry, holding.why(path), at) for at, path, entry in draft.rows() if entry.mode in trees.REGULAR)
    return [originals.Kept(*row, draft.known(row[-1])) for row in rows if row[2]]


def _link(worktree: Worktree) -> None:
    """Tells git, from within the folder, which worktree it is."""
    _write(worktree.folder, ".git", f"gitdir: {worktree.admin_dir}\n")


def _refuse_taken(main: Repository, worktree: Worktree) -> None:
    """Refuses names that exist already, before anything is written."""
    reference = f"refs/heads/{worktree.branch}"
    if not pygit2.reference_is_valid_name(reference):
        raise UserError(f"{worktree.branch!r} is not a valid branch name.", "Choose another name for the session.")
    if reference in main.references:
        raise UserError(
            f"The branch {worktree.branch} exists already.",
            f"Choose another name, or delete it (`git branch -D {worktree.branch}`) if it is not needed.",
        )
    if os.path.lexists(worktree.folder):
        raise UserError(f"{worktree.folder} exists already.", "Choose another name, or move it away.")
    if os.path.lexists(worktree.admin_dir):
        name = worktree.admin_dir.rpartition("/")[2]
        raise UserError(f"The repository has a worktree named {name} already.", "Choose another name.")
    if pygit2.Oid(hex=worktree.base) not in main:
        raise UserError(f"The commit {worktree.base} is not in the repository.", "Start from another commit.")


def _make_admin(undo: contextlib.ExitStack, worktree: Worktree, lock_reason: str) -> None:
    admin = worktree.admin_dir
    with contextlib.suppress(FileExistsError):
        Path(admin).parent.mkdir()
    undo.callback(_remove_admin, admin)
    Path(admin).mkdir()
    # The lock comes first: from the second file on git could take the rest for something to prune.
    _write(admin, "locked", f"{lock_reason}\n")
    _write(admin, "commondir", "../..\n")
    _write(admin, "gitdir", f"{worktree.folder}/.git\n")
    _write(admin, "HEAD", f"ref: refs/heads/{worktree.branch}\n")


def _make_branch(undo: contextlib.ExitStack, main: Repository, worktree: Worktree) -> None:
    reference = f"refs/heads/{worktree.branch}"
    try:
        main.references.create(reference, pygit2.Oid(hex=worktree.base))
    except pygit2.AlreadyExistsError as error:
        raise UserError(f"The branch {worktree.branch} exists already.", "Choose another name.") from error
    except (pygit2.GitError, OSError, ValueError) as error:
        raise UserError(
            f"The branch {worktree.branch} cannot be made: {error}.",
            f"A branch named {worktree.branch.partition('/')[0]!r} may be in the way; rename it.",
        ) from error
    undo.callback(_delete_branch, main, worktree.branch)


def _make_parents(undo: contextlib.ExitStack, folder: str) -> None:
    """Makes the missing parents of a folder; the undoing removes them only if they are still empty."""
    missing = [parent for parent in Path(folder).parents if not parent.is_dir()]
    for parent in reversed(missing):
        undo.callback(_remove_empty, parent)
        parent.mkdir(0o700)


def _write(folder: str, name: str, text: str) -> None:
    """Writes a new small file; an existing one, or a link, is an error."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(f"{folder}/{name}", flags, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(text))


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _remove_admin(admin_dir: str) -> None:
    """Removes a worktree's administration, and `worktrees/` with the last one, as git does."""
    trash.delete(admin_dir)
    _remove_empty(Path(admin_dir).parent)


def _delete_branch(main: Repository, branch: str) -> None:
    with contextlib.suppress(KeyError):
        main.lookup_reference(f"refs/heads/{branch}").delete()


def list_worktrees(checkout: Checkout) -> tuple[Listed, ...]:
    """Lists the worktrees of sessions (those on a branch under `agentos/`), by name.

    Raises:
        EffectError: git or the file system failed.
    """
    with opening.attempting("list the worktrees"):
        main = opening.repository(checkout.common_dir)
        admins = Path(checkout.common_dir, "worktrees")
        names = sorted(admins.iterdir()) if admins.is_dir() else []
        found = [_listed(main, str(name)) for name in names]
        return tuple(row for row in found if row is not None)


def _listed(main: Repository, admin_dir: str) -> Listed | None:
    branch = checked_out(admin_dir)
    if branch is None or not branch.startswith(PREFIX):
        return None
    folder = _line(admin_dir, "gitdir").removesuffix("/.git")
    base = _line(admin_dir, BASE)
    try:
        head = CommitId(str(main.lookup_reference(f"refs/heads/{branch}").peel(pygit2.Commit).id))
    except KeyError:
        head = None
    return Listed(
        worktree=Worktree(folder, admin_dir, branch, CommitId(base or head or "")),
        head=head,
        exists=Path(folder).is_dir() and not Path(folder).is_symlink(),
        complete=bool(base),
    )


def checked_out(git_dir: str) -> str | None:
    """Returns the branch in a git directory's HEAD, or None if it is detached or cannot be read."""
    head = _line(git_dir, "HEAD")
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: refs/heads/") else None


def _line(folder: str, name: str) -> str:
    """Reads a small file's text without its last newline; "" if it is not there."""
    try:
        descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return os.fsdecode(file.read(4096)).rstrip("\n")


def remove(worktree: Worktree, *, delete_branch: bool) -> None:
    """Removes a worktree at once: its folder goes to the trash beside it, its administration and branch go.

    What is gone already is no error, so that an interrupted removal can be repeated. `trash.empty` frees the disk.

    Raises:
        UserError: The administration now belongs to another folder; nothing was removed.
        EffectError: git or the file system failed.
    """
    with opening.attempting(f"remove the worktree {worktree.folder}"):
        owner = _line(worktree.admin_dir, "gitdir")
        if owner not in {"", f"{worktree.folder}/.git"}:
            raise UserError(
                f"The worktree's administration now names another folder: {owner}.",
                "Look at `git worktree list`; if it was moved on purpose, remove it with `git worktree remove`.",
            )
        trash.throw(worktree.folder)
        _remove_admin(worktree.admin_dir)
        if delete_branch:
            _delete_branch(opening.repository(worktree.common_dir), worktree.branch)


def read_index(worktree: Worktree) -> bytes | None:
    """Returns the worktree's own index, None if there is none, only a link, or one that no repository needs."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(f"{worktree.admin_dir}/index", flags), "rb") as file:
            return file.read() if os.fstat(file.fileno()).st_size <= LARGEST_INDEX else None
    except OSError:
        return None
