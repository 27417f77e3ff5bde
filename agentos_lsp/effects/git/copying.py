"""Copies unchanged files of a checkout into a fresh folder: in this process, or as the program of a worker process.

It imports nothing but the standard library, so that `python -I -S copying.py` starts in milliseconds. No link is
followed, neither in the checkout nor in the folder. A job and its answer are packed as said at `pack` and `unpack`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_HEAD = struct.Struct("<QIII")
_WISH = struct.Struct("<IIIQQI")
_DONE = struct.Struct("<QQQQIIQI")
_LOW_32 = 0xFFFFFFFF


class Wish(NamedTuple):
    """A file to copy, and how it looks while it is unchanged; size and inode as an index keeps them, in 32 bits."""

    path: bytes
    program: bool
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Stat(NamedTuple):
    """What an index keeps of a file's stat, with the names that `os.stat_result` has."""

    st_mtime_ns: int
    st_ctime_ns: int
    st_dev: int
    st_ino: int
    st_uid: int
    st_gid: int
    st_size: int
    st_mode: int


class Folder:
    """The folder in which the last file was, below an open root; kept open because its neighbours come next."""

    def __init__(self, root: int, *, create: bool) -> None:
        self._root = root
        self._create = create
        self._path: bytes | None = None
        self._descriptor: int | None = None

    def at(self, path: bytes) -> int | None:
        """Opens the folder of a file; None if it cannot be reached and may not be made.

        Raises:
            OSError: It could not be made.
        """
        wanted = path.rpartition(b"/")[0]
        if wanted != self._path:
            self.close()
            self._path = wanted
            try:
                self._descriptor = self._opened(wanted)
            except OSError:
                if self._create:
                    raise
        return self._descriptor

    def _opened(self, path: bytes) -> int:
        current = os.dup(self._root)
        try:
            for name in path.split(b"/") if path else ():
                if self._create:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=current)
                deeper = os.open(name, _FOLDER, dir_fd=current)
                os.close(current)
                current = deeper
        except OSError:
            os.close(current)
            raise
        return current

    def close(self) -> None:
        """Closes what is open; the next file opens its folder again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._path = self._descriptor = None


def unchanged(folder: int, wish: Wish, before_ns: int) -> bytes | None:
    """Reads a file if it surely is what its index says: it looks as it did, and was last touched before `before_ns`."""
    try:
        descriptor = os.open(wish.path.rpartition(b"/")[2], _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
        if not describes(wish, seen) or max(seen.st_mtime_ns, seen.st_ctime_ns) >= before_ns:
            return None
        data = os.read(descriptor, seen.st_size + 1)
        # A person may be saving this very file: what was read counts only if nothing moved meanwhile.
        whole = len(data) == seen.st_size and describes(wish, os.fstat(descriptor))
        return data if whole else None
    finally:
        os.close(descriptor)


def describes(wish: Wish, seen: os.stat_result) -> bool:
    """Whether a file looks as it should."""
    return (
        stat.S_ISREG(seen.st_mode)
        and wish.size == seen.st_size & _LOW_32
        and wish.mtime_ns == seen.st_mtime_ns
        and wish.ctime_ns == seen.st_ctime_ns
        and wish.inode == seen.st_ino & _LOW_32
    )


def created(folder: int, name: bytes, data: bytes, *, program: bool) -> os.stat_result:
    """Creates a file and returns its stat.

    Raises:
        OSError: Something of that name is there, or the disk is full.
    """
    descriptor = os.open(name, _CREATE, 0o777 if program else 0o666, dir_fd=folder)
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def pack(source: bytes, target: bytes, before_ns: int, nice: int, wishes: Sequence[Wish]) -> bytes:
    """Returns a job: a head with the lengths of both folders' names, those, and each wish with its path."""
    parts = [_HEAD.pack(before_ns, nice, len(source), len(target)), source, target]
    for wish in wishes:
        fixed = (len(wish.path), wish.program, wish.size, wish.mtime_ns, wish.ctime_ns, wish.inode)
        parts += (_WISH.pack(*fixed), wish.path)
    return b"".join(parts)


def unpack(answer: bytes) -> Iterator[Stat | None]:
    """Yields each file's stat as it was written, None for one that was not copied; stops where the answer does."""
    whole = len(answer) - len(answer) % _DONE.size
    for fields in _DONE.iter_unpack(answer[:whole]):
        made = Stat(*fields)
        yield made if made.st_mode else None


ANSWER_BYTES = _DONE.size
"""How long the answer to one wish is."""


def main() -> None:
    """Reads a job from standard input, copies, and writes the answers to standard output as it goes."""
    job = sys.stdin.buffer.read()
    before_ns, nice, source_length, target_length = _HEAD.unpack_from(job)
    at = _HEAD.size
    source = os.open(job[at : at + source_length], _FOLDER)
    at += source_length
    target = os.open(job[at : at + target_length], _FOLDER)
    at += target_length
    if nice:
        os.nice(nice)
    origin, place = Folder(source, create=False), Folder(target, create=True)
    nothing = _DONE.pack(0, 0, 0, 0, 0, 0, 0, 0)
    while at < len(job):
        length, program, size, mtime_ns, ctime_ns, inode = _WISH.unpack_from(job, at)
        at += _WISH.size
        wish = Wish(job[at : at + length], bool(program), size, mtime_ns, ctime_ns, inode)
        at += length
        folder = origin.at(wish.path)
        data = None if folder is None else unchanged(folder, wish, before_ns)
        into = None if data is None else place.at(wish.path)
        if data is None or into is None:
            sys.stdout.buffer.write(nothing)
            continue
        made = created(into, wish.path.rpartition(b"/")[2], data, program=wish.program)
        sys.stdout.buffer.write(
            _DONE.pack(
                made.st_mtime_ns,
                made.st_ctime_ns,
                made.st_dev,
                made.st_ino,
                made.st_uid,
                made.st_gid,
                made.st_size,
                made.st_mode,
            )
        )
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
