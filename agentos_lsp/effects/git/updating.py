"""Brings the person's checkout from one tree to another, all or nothing, never over work that is not in git.

The order is files, then index, then branch, under git's own `index.lock`. Until the branch moves, nothing has been
merged: a crash before leaves files that equal the new tree, which `git status` shows, and nothing of the person's is
lost. Running the same merge again accepts files in the old or in the new state alike, and so completes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.git import beneath, blobs, conversions, indexes, opening, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agentos_lsp.effects.git.opening import Repository
    from agentos_lsp.effects.git.repository import Checkout

MARK = b"agentos-lsp merge "
"""How our `index.lock` begins; the process id follows."""

_NEXT = "agentos-index-next"
_BEFORE = "agentos-index-before"


@dataclass(frozen=True, slots=True)
class Step:
    """One path on the way from the old tree to the new, and how it looked when it was found safe to touch."""

    path: bytes
    old: trees.Entry | None
    new: trees.Entry | None
    seen: os.stat_result | None = None
    done: bool = False
    """Whether the file already is as the new tree has it."""


class CancelledError(Exception):
    """A person wants none of it any more."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who follows long work from this thread: told (files done, files in all), and asked whether to go on."""

    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]

    def look(self, done: int, total: int) -> None:
        """Tells how far the work has come.

        Raises:
            CancelledError: It is not wanted any more.
        """
        if self.cancelled():
            raise CancelledError
        self.progress(done, total)


UNWATCHED = Watch(lambda _done, _total: None, lambda: False)


class InTheWayError(Exception):
    """A file changed between the check and the write; caught here, where everything is put back."""

    def __init__(self, path: bytes) -> None:
        super().__init__(os.fsdecode(path))
        self.path = path


@contextlib.contextmanager
def locked(checkout: Checkout) -> Iterator[None]:
    """Holds the checkout's `index.lock`, so that no git command changes index or files meanwhile.

    Raises:
        EffectError: Another git command, or another merge, holds it.
    """
    recover(checkout)
    lock = Path(checkout.git_dir, "index.lock")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, flags, 0o666)
    except FileExistsError as error:
        reason = f"another git command is at work there; if none is, delete {lock}"
        raise EffectError("git", f"update the files in {checkout.root}", reason, retry_may_help=True) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(MARK + b"%d\n" % os.getpid())
        yield
    finally:
        for name in (_NEXT, _BEFORE, "index.lock"):
            Path(checkout.git_dir, name).unlink(missing_ok=True)


def recover(checkout: Checkout) -> bool:
    """Removes the lock that a merge left when its process was killed; tells whether there was one.

    Only a lock with our mark and the id of a process that is gone is removed.
    """
    lock = Path(checkout.git_dir, "index.lock")
    try:
        text = lock.read_bytes()
    except OSError:
        return False
    if not text.startswith(MARK) or _lives(int(text.removeprefix(MARK) or b"0")):
        return False
    lock.unlink(missing_ok=True)
    return True


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def planned(
    repository: Repository, checkout: Checkout, old: bytes, new: bytes, protected: frozenset[str]
) -> tuple[list[Step], list[str]]:
    """Works out what to do to each file, and which files are in the way; touches nothing.

    A file is in the way if it is not what the old or the new tree holds (edited, staged, untracked, ignored), if an
    editor holds it unsaved (`protected`), or if it stands where a folder is needed.

    Returns:
        The steps, and the sorted paths in the way; act on the first only if the second is empty.
    """
    rows = trees.difference(repository, old, new)
    index_file = Path(checkout.git_dir, "index")
    staged = indexes.read(str(index_file))
    written_ns = index_file.stat().st_mtime_ns if index_file.exists() else 0
    leaving = {path for path, was, now in rows if was is not None and now is None}
    steps: list[Step] = []
    blocked: set[bytes] = set()
    root = beneath.open_folder(checkout.root)
    try:
        for path, was, now in rows:
            row = staged.get(path)
            entry = row.entry if row is not None else None
            if os.fsdecode(path) in protected or entry not in {was, now}:
                blocked.add(path)
                continue
            blocked.update(_obstacles(root, path, leaving) if now is not None else ())
            step = _step(repository, root, (path, was, now), row, written_ns)
            if step is None:
                blocked.add(path)
            else:
                steps.append(step)
    finally:
        os.close(root)
    return steps, sorted(os.fsdecode(path) for path in blocked)


def _obstacles(root: int, path: bytes, leaving: set[bytes]) -> Iterator[bytes]:
    """Yields what would stop a file from being put at a path and is not on its way out."""
    parent = path.rpartition(b"/")[0]
    while parent:
        seen = beneath.look(root, parent)
        if seen is not None and not stat.S_ISDIR(seen.st_mode) and parent not in leaving:
            yield parent
        parent = parent.rpartition(b"/")[0]
    seen = beneath.look(root, path)
    if seen is not None and stat.S_ISDIR(seen.st_mode):
        yield from (below for below in beneath.names_in(root, path) if below not in leaving)


def _step(
    repository: Repository,
    root: int,
    change: tuple[bytes, trees.Entry | None, trees.Entry | None],
    row: indexes.Indexed | None,
    written_ns: int,
) -> Step | None:
    """Looks at one path; returns what to do, or None if what is there would be lost."""
    path, old, new = change
    seen = beneath.look(root, path)
    if trees.SUBMODULE in {old.mode if old else 0, new.mode if new else 0}:
        # A submodule's folder belongs to another repository; only the index and the tree name its commit.
        return Step(path, old, new, seen, done=True)
    if seen is None or stat.S_ISDIR(seen.st_mode):
        if old is None:
            return Step(path, old, new, seen)
        return Step(path, old, new, seen, done=True) if new is None else None
    touched_ns = max(seen.st_mtime_ns, seen.st_ctime_ns)
    if row is not None and row.entry == old and row.describes(seen) and touched_ns < written_ns:
        return Step(path, old, new, seen)
    there = beneath.read(root, path)
    if there is None or there.data is None:
        return None
    data = there.data
    if there.mode != trees.LINK:
        data = conversions.to_git(repository, path, data, old.oid if old is not None else None)
    entry = trees.Entry(there.mode, blobs.name_of(data))
    if entry == new:
        return Step(path, old, new, there.stat, done=True)
    return Step(path, old, new, there.stat) if entry == old else None


def apply(
    repository: Repository,
    checkout: Checkout,
    steps: Sequence[Step],
    move_branch: Callable[[], None],
    watch: Watch = UNWATCHED,
) -> bytes | None:
    """Changes files, index and branch in this order; if anything fails on the way, everything is put back.

    Args:
        repository: The checkout's, opened with its own folder.
        checkout: Whose files and index change; `locked`.
        steps: From `planned`, with nothing in the way.
        move_branch: Called last; may raise.
        watch: Who is told of each file, and may cancel until the branch moves.

    Returns:
        None, or the path that changed under our hands, after which everything is as it was.

    Raises:
        AgentosError: The branch could not be moved.
        CancelledError: It was cancelled; everything is as it was.
        OSError: A file could not be written.
    """
    root = beneath.open_folder(checkout.root)
    try:
        with contextlib.ExitStack() as undo:
            removals = [step for step in steps if step.new is None and not step.done]
            writes = [step for step in steps if step.new is not None and not step.done]
            writes.sort(key=lambda step: not step.path.endswith(b".gitattributes"))
            for number, step in enumerate([*reversed(removals), *writes]):
                watch.look(number, len(removals) + len(writes))
                _take(undo, repository, root, step)
            _replace_index(undo, checkout, steps)
            watch.look(len(removals) + len(writes), len(removals) + len(writes))
            move_branch()
            undo.pop_all()
    except InTheWayError as error:
        return error.path
    finally:
        os.close(root)
    return None


def _take(undo: contextlib.ExitStack, repository: Repository, root: int, step: Step) -> None:
    """Carries out one step, unless the file is no longer as it was found."""
    now = beneath.look(root, step.path)
    if now is not None and stat.S_ISDIR(now.st_mode):
        # Its files were on their way out and are gone; an empty folder is nothing to keep.
        with contextlib.suppress(OSError), beneath.folder_of(root, step.path) as (folder, name):
            os.rmdir(name, dir_fd=folder)
        now = beneath.look(root, step.path)
    if not _same(now, None if step.seen is None or stat.S_ISDIR(step.seen.st_mode) else step.seen):
        raise InTheWayError(step.path)
    if step.new is None:
        beneath.remove(root, step.path)
        undo.callback(_put_back, repository, root, step, None)
    else:
        written = put(repository, root, step.path, step.new)
        undo.callback(_put_back, repository, root, step, written)


def put(repository: Repository, root: int, path: bytes, entry: trees.Entry) -> os.stat_result:
    """Writes what git holds to a path, as the folder should have it."""
    data = blobs.read(repository, entry.oid)
    if entry.mode != trees.LINK:
        data = conversions.to_folder(repository, path, data, entry.oid)
    return put_raw(root, path, data, entry.mode)


def put_raw(root: int, path: bytes, data: bytes, mode: int) -> os.stat_result:
    """Writes bytes to a path as they are."""
    temporary = beneath.TEMPORARY + hashlib.sha256(path).hexdigest()[:16].encode()
    # The name is ours alone and always the same for a path: one that is there was left by a crash.
    beneath.remove(root, b"/".join([*path.split(b"/")[:-1], temporary]))
    return beneath.write(root, path, data, mode, temporary)


def _put_back(repository: Repository, root: int, step: Step, written: os.stat_result | None) -> None:
    """Undoes one step, unless the person has changed the file since."""
    if not _same(beneath.look(root, step.path), written):
        return
    if step.old is None:
        beneath.remove(root, step.path)
    else:
        put(repository, root, step.path, step.old)


def _same(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns, one.st_mode) == (
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
        other.st_ctime_ns,
        other.st_mode,
    )


def _replace_index(undo: contextlib.ExitStack, checkout: Checkout, steps: Sequence[Step]) -> None:
    """Puts an index in place that differs from the person's at the steps' paths only."""
    here, following, before = (Path(checkout.git_dir, name) for name in ("index", _NEXT, _BEFORE))
    shutil.copyfile(here, following)
    shutil.copyfile(here, before)
    index = opening.Index(str(following))
    index.read()
    for step in steps:
        name = os.fsdecode(step.path)
        if step.new is not None:
            mode = pygit2.enums.FileMode(step.new.mode)
            index.add(pygit2.IndexEntry(name, pygit2.Oid(raw=step.new.oid), mode))
        elif name in index:
            index.remove(name)
    index.write()
    following.replace(here)
    undo.callback(before.replace, here)
