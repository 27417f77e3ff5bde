"""Fills a fresh folder with a tree's files: copied from a clean checkout where that is possible, else from git.

Invariant: the folder is new and no agent has run in it; still no link in it is ever followed.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import beneath, blobs, conversions, indexes, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agentos_lsp.effects.git.opening import Repository

STEP = 128
"""After how many files progress is told and a cancellation is noticed."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Row = tuple[bytes, trees.Entry, os.stat_result]


@dataclass(frozen=True, slots=True)
class Source:
    """A checkout to copy from: its folder, what its index calls clean, and since when that can be trusted."""

    folder: str
    clean: Mapping[bytes, indexes.Indexed]
    before_ns: int
    """When the index was written: a file touched at that moment or later is not trusted (git's "racily clean")."""

    @classmethod
    def of(cls, folder: str, index: str) -> Source:
        """Reads a checkout's index; an index that cannot be read makes a source with nothing in it."""
        try:
            before_ns = Path(index).stat().st_mtime_ns
        except OSError:
            before_ns = 0
        return cls(folder, indexes.read(index), before_ns)


@dataclass(slots=True)
class _Folder:
    """The folder in which the last file was; kept open because its neighbours come next."""

    root: int
    create: bool
    path: bytes | None = None
    descriptor: int | None = None
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def at(self, path: bytes) -> int | None:
        """Opens the folder of a file, or returns None if it cannot be reached in a source."""
        wanted = path.rpartition(b"/")[0]
        if wanted != self.path:
            self.opened.close()
            self.path, self.descriptor = wanted, None
            try:
                self.descriptor = self.opened.enter_context(beneath.folder_of(self.root, path, create=self.create))[0]
            except OSError:
                if self.create:
                    raise
        return self.descriptor


def fill(
    repository: Repository,
    folder: str,
    files: Sequence[tuple[bytes, trees.Entry]],
    source: Source,
    *,
    convert: bool,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> list[Row] | None:
    """Writes every file of a tree into a folder.

    Args:
        repository: Holds the objects; opened with `folder`, whose attribute files count where `convert` is asked for.
        folder: Where to; exists and is empty.
        files: What to write.
        source: A checkout that may hold the same files.
        convert: Whether line endings may differ between git and the folder.
        progress: Told (files written, files in all).
        cancelled: Asked now and then.

    Returns:
        The rows of an index, or None if cancelled half-way.

    Raises:
        OSError: The disk is full, or something is in the way.
    """
    # Attribute files come first, as git has them: what they say counts for the others, and for themselves.
    ordered = sorted(files, key=lambda row: not _is_attributes(row[0])) if convert else files
    rows: list[Row] = []
    attributes: list[tuple[bytes, trees.Entry, bytes]] = []
    with contextlib.ExitStack() as stack:
        target = _Folder(_opened(stack, folder), create=True)
        origin = _Folder(_opened(stack, source.folder), create=False)
        stack.callback(target.opened.close)
        stack.callback(origin.opened.close)
        for done, (path, entry) in enumerate(ordered):
            if done % STEP == 0:
                if cancelled():
                    return None
                progress(done, len(files))
            data = _copied(origin, source, path, entry)
            if data is None and entry.mode != trees.SUBMODULE:
                data = blobs.read(repository, entry.oid)
                if convert and entry.mode != trees.LINK:
                    if _is_attributes(path):
                        _placed(target, path, entry.mode, data)
                        attributes.append((path, entry, data))
                        continue
                    rows += _converted(repository, target, attributes)
                    data = conversions.to_folder(repository, path, data, entry.oid)
            rows.append((path, entry, _placed(target, path, entry.mode, data or b"")))
        rows += _converted(repository, target, attributes)
    progress(len(files), len(files))
    return rows


def _is_attributes(path: bytes) -> bool:
    return path.rpartition(b"/")[2] == b".gitattributes"


def _converted(
    repository: Repository, target: _Folder, attributes: list[tuple[bytes, trees.Entry, bytes]]
) -> list[Row]:
    """Writes the waiting attribute files again, now that all of them are there to be asked about themselves."""
    texts = [conversions.to_folder(repository, path, data, entry.oid) for path, entry, data in attributes]
    rows: list[Row] = []
    for (path, entry, _), text in zip(attributes, texts, strict=True):
        os.unlink(path.rpartition(b"/")[2], dir_fd=target.at(path))
        rows.append((path, entry, _placed(target, path, entry.mode, text)))
    attributes.clear()
    return rows


def _opened(stack: contextlib.ExitStack, folder: str) -> int:
    descriptor = beneath.open_folder(folder)
    stack.callback(os.close, descriptor)
    return descriptor


def _copied(origin: _Folder, source: Source, path: bytes, entry: trees.Entry) -> bytes | None:
    """Reads a file from the source if it surely is what git holds, as the folder should have it."""
    known = source.clean.get(path)
    if known is None or known.entry != entry or entry.mode not in {trees.FILE, trees.PROGRAM}:
        return None
    folder = origin.at(path)
    if folder is None:
        return None
    try:
        descriptor = os.open(path.rpartition(b"/")[2], _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
        if not known.describes(seen) or max(seen.st_mtime_ns, seen.st_ctime_ns) >= source.before_ns:
            return None
        data = os.read(descriptor, seen.st_size + 1)
        # A person may be saving this very file: what was read counts only if nothing moved meanwhile.
        whole = len(data) == seen.st_size and known.describes(os.fstat(descriptor))
        return data if whole else None
    finally:
        os.close(descriptor)


def _placed(target: _Folder, path: bytes, mode: int, data: bytes) -> os.stat_result:
    """Creates one file, link or submodule folder and returns its stat."""
    folder = target.at(path)
    name = path.rpartition(b"/")[2]
    if mode == trees.LINK:
        os.symlink(data, name, dir_fd=folder)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    if mode == trees.SUBMODULE:
        os.mkdir(name, dir_fd=folder)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    descriptor = os.open(name, _CREATE, 0o777 if mode == trees.PROGRAM else 0o666, dir_fd=folder)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
