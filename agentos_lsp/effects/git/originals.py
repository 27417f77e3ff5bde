"""The bytes of held files: put into a fresh worktree before any agent is in it, and brought back to one later.

First choice is a copy of what the person's checkout has and its index calls unchanged: what the filter made there is
there already. What is not to be copied the git program writes, with the filters that the person's settings name, as
their own `git checkout` would; only at creation, on a commit that they had checked out, and never on what an agent
wrote.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.git import beneath, copying, filling, held, indexes, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agentos_lsp.effects.git import drafts
    from agentos_lsp.effects.git.repository import Checkout

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

BATCH = 500
"""How many files the git program writes at a time; then progress is told."""

SHOWN = 3
"""How many files an error names."""


class Kept(NamedTuple):
    """One held file, what git keeps of it, and through what it passes it."""

    path: bytes
    entry: trees.Entry
    why: str
    at: int
    """Where its entry begins in the draft of the index."""
    known: indexes.Indexed | None
    """What the checkout's index says of it, if it has the same there."""


def fill(
    checkout: Checkout,
    worktree: held.Worktree,
    files: Sequence[Kept],
    draft: drafts.Draft,
    means: filling.Means,
    *,
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> held.Record | None:
    """Puts the held files into a new worktree that has all others already, and writes its index and its record.

    Args:
        checkout: The person's, from which is copied.
        worktree: Its folder and its `.git` file are there, an index is not.
        files: The held files.
        draft: Of its index, which has all others already.
        means: With the git program.
        progress: Told how many held files are there.
        cancelled: Asked now and then.

    Returns:
        How the held files were made, None if it was cancelled.

    Raises:
        UserError: A filter failed, or there is no git program.
        OSError: The disk is full, or something is in the way.
    """
    raws: dict[bytes, bytes] = {}
    left: list[Kept] = []
    with contextlib.ExitStack() as stack:
        origin = copying.Folder(_opened(stack, draft.source), create=False)
        target = copying.Folder(_opened(stack, worktree.folder), create=True)
        stack.callback(origin.close)
        stack.callback(target.close)
        for number, one in enumerate(files):
            if number % filling.STEP == 0:
                if cancelled():
                    return None
                progress(number - len(left))
            into = functools.partial(target.at, one.path)
            asked = _Asked(one.path, one.known, draft.before_ns, one.entry.mode == trees.PROGRAM)
            copied = _copied(asked, origin, into, one.path.rpartition(b"/")[2], cancelled)
            if copied is None:
                left.append(one)
            else:
                raws[one.path], seen = copied
                draft.note(one.at, seen)
    if cancelled():
        return None
    index = f"{worktree.admin_dir}/index"
    draft.write(index)
    if left:
        done = len(files) - len(left)
        written = _written(worktree, left, means.program, lambda count: progress(done + count), cancelled)
        if written is None:
            return None
        raws |= {path: raw for path, (raw, _) in written.items()}
        # Git does not write the index itself: it would pass files through their filters again to compare them.
        Path(index).unlink()
        for one in left:
            draft.note(one.at, written[one.path][1])
        draft.write(index)
    originals = {one.path: held.Original(one.entry, raws[one.path]) for one in files}
    record = held.Record(checkout.root, checkout.git_dir, originals)
    held.write_record(worktree, record)
    return record


def _opened(stack: contextlib.ExitStack, folder: str) -> int:
    descriptor = beneath.open_folder(folder)
    stack.callback(os.close, descriptor)
    return descriptor


class _Asked(NamedTuple):
    """A file to copy if it surely is what an index says."""

    path: bytes
    known: indexes.Indexed | None
    before_ns: int
    program: bool


def _copied(
    asked: _Asked, origin: copying.Folder, into: Callable[[], int | None], name: bytes, cancelled: Callable[[], bool]
) -> tuple[bytes, os.stat_result] | None:
    """Copies a file in pieces if it surely is what its index says; returns the name of its bytes, and its stat."""
    known = asked.known
    there = origin.at(asked.path) if known is not None else None
    if known is None or there is None:
        return None
    try:
        descriptor = os.open(asked.path.rpartition(b"/")[2], _READ, dir_fd=there)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        seen = os.fstat(descriptor)
        is_file = stat.S_ISREG(seen.st_mode)
        if not is_file or not known.describes(seen) or max(seen.st_mtime_ns, seen.st_ctime_ns) >= asked.before_ns:
            return None
        folder = into()
        if folder is None:
            return None
        # Source: gitformat-pack, an object is named by the SHA-1 of its header and contents.
        digest = hashlib.sha1(b"blob %d\0" % seen.st_size, usedforsecurity=False)
        made = os.open(name, _CREATE, 0o777 if asked.program else 0o666, dir_fd=folder)
        with os.fdopen(made, "wb", buffering=0):
            while not cancelled() and (piece := file.read(beneath.PIECE)):
                digest.update(piece)
                _all(made, piece)
            copy = os.fstat(made)
            # A person may be saving this very file: what was read counts only if nothing moved meanwhile.
            whole = copy.st_size == seen.st_size and known.describes(os.fstat(descriptor))
        if not whole:
            os.unlink(name, dir_fd=folder)
            return None
        return digest.digest(), copy


def _all(descriptor: int, piece: bytes) -> None:
    written = os.write(descriptor, piece)
    while written < len(piece):
        written += os.write(descriptor, piece[written:])


def _written(
    worktree: held.Worktree,
    files: Sequence[Kept],
    program: filling.Program | None,
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
) -> dict[bytes, tuple[bytes, os.stat_result]] | None:
    """Lets the git program write files that the index names.

    Returns:
        The name of each one's bytes, and its stat; None if it was cancelled.
    """
    if program is None:
        what = "write files that pass through a filter"
        raise EffectError("git", what, "there is no git program", retry_may_help=False)
    command = ("checkout-index", "--force", "-z", "--stdin")
    for at in range(0, len(files), BATCH):
        progress(at)
        batch = files[at : at + BATCH]
        ended = program(command, worktree.folder, b"".join(one.path + b"\0" for one in batch), cancelled)
        if ended is None:
            return None
        if ended.code != 0:
            raise _failed(batch, ended)
    found: dict[bytes, tuple[bytes, os.stat_result]] = {}
    root = beneath.open_folder(worktree.folder)
    try:
        for one in files:
            looks, seen = beneath.look(root, one.path), beneath.digest(root, one.path)
            if seen is None or looks is None:
                raise _failed([one], None)
            found[one.path] = seen[1], looks
    finally:
        os.close(root)
    return found


def _failed(files: Sequence[Kept], ended: filling.Ended | None) -> UserError:
    """Says that files were not written, in the words of whoever failed, and what may help."""
    names = ", ".join(os.fsdecode(one.path) for one in files[:SHOWN]) + (", …" if len(files) > SHOWN else "")
    through = " and ".join(sorted({one.why for one in files}))
    said = "it took too long" if ended is not None and ended.code is None else "" if ended is None else ended.words
    said = " / ".join(said.splitlines()[-SHOWN:]) or "git did not say why"
    lfs = " Git LFS needs the program git-lfs (`git lfs install`, `git lfs pull`)." if "filter lfs" in through else ""
    return UserError(
        f"git could not write what passes through {through} ({names}): {said}.",
        f"See that `git checkout -- {os.fsdecode(files[0].path)}` works in your own checkout, then start again.{lfs}",
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A checkout to copy from: its folder, what its index calls clean, and since when that can be trusted."""

    folder: str
    clean: Mapping[bytes, indexes.Indexed]
    before_ns: int
    """When the index was written: a file touched at that moment or later is not trusted (git's "racily clean")."""


def bring_back(record: held.Record, source: Source, root: int, path: bytes) -> bool:
    """Puts a held file back as it was made, from the person's checkout if that still has it; returns whether it did.

    Args:
        record: How it was made.
        source: The person's checkout; see `source_of`.
        root: The worktree's open folder.
        path: The file; what is there is replaced.

    Raises:
        OSError: The disk failed.
    """
    original = record.originals[path]
    known = source.clean.get(path)
    is_same = known is not None and known.entry == original.entry and original.entry.mode in trees.REGULAR
    asked = _Asked(path, known if is_same else None, source.before_ns, original.entry.mode == trees.PROGRAM)
    temporary = beneath.TEMPORARY + hashlib.sha256(path).hexdigest()[:16].encode()
    with contextlib.ExitStack() as stack:
        if not Path(source.folder).is_dir():
            return False
        origin = copying.Folder(_opened(stack, source.folder), create=False)
        stack.callback(origin.close)
        folder, name = stack.enter_context(beneath.folder_of(root, path, create=True))
        # The name is ours alone and always the same for a path: one that is there was left by a crash.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        copied = _copied(asked, origin, lambda: folder, temporary, lambda: False)
        if copied is None:
            return False
        if copied[0] != original.raw:
            os.unlink(temporary, dir_fd=folder)
            return False
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    return True


def source_of(record: held.Record) -> Source:
    """Returns the checkout that held files were copied from, as it is now; with nothing in it if it cannot be read."""
    index = Path(record.git_dir, "index")
    try:
        before_ns = index.stat().st_mtime_ns
    except OSError:
        before_ns = 0
    return Source(record.root, indexes.read(str(index)), before_ns)
