"""Reads and writes below one folder without ever following a symlink; the only place that opens a worktree's files.

Every path is walked one component at a time through directory descriptors, so that a folder which an agent swaps for a
link, before or during the walk, leads nowhere. Paths are bytes, relative, with forward slashes.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import trees

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}
PIECE = 1 << 20
"""How much of a large file is held at once, in bytes."""

TEMPORARY = b".agentos-"
"""How the names of files that are about to be renamed into place begin."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is at a path: a git mode (a folder's for a folder), its bytes unless it is a folder or too big, its stat."""

    mode: int
    data: bytes | None
    stat: os.stat_result


def open_folder(folder: str) -> int:
    """Opens the folder that everything else is beneath; the caller closes it.

    Raises:
        OSError: It is missing, or a link.
    """
    return os.open(folder, _FOLDER)


@contextlib.contextmanager
def folder_of(root: int, path: bytes, *, create: bool = False) -> Iterator[tuple[int, bytes]]:
    """Opens the folder that holds a path, and yields its descriptor with the last name.

    Raises:
        OSError: A component is missing, not a folder, or a link.
    """
    *names, last = path.split(b"/")
    current = os.dup(root)
    try:
        for name in names:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=current)
            deeper = os.open(name, _FOLDER, dir_fd=current)
            os.close(current)
            current = deeper
        yield current, last
    finally:
        os.close(current)


def look(root: int, path: bytes) -> os.stat_result | None:
    """Returns the stat of what is at a path, the link itself for a link; None if there is nothing."""
    try:
        with folder_of(root, path) as (folder, name):
            return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def read(root: int, path: bytes, limit: int | None = None) -> Seen | None:
    """Reads a file or a link's target.

    Returns:
        None if there is nothing at the path, or something that git does not keep (a socket, a device); `data` is None
        for a folder and for a file of more than `limit` bytes.
    """
    try:
        with folder_of(root, path) as (folder, name):
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(seen.st_mode):
                return Seen(trees.LINK, os.readlink(name, dir_fd=folder), seen)
            if stat.S_ISDIR(seen.st_mode):
                return Seen(trees.FOLDER, None, seen)
            if not stat.S_ISREG(seen.st_mode):
                return None
            return _read_file(os.open(name, _READ, dir_fd=folder), limit)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def _read_file(descriptor: int, limit: int | None) -> Seen | None:
    """Reads an open file to its end and closes it."""
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return None
        mode = trees.PROGRAM if seen.st_mode & stat.S_IXUSR else trees.FILE
        if limit is not None and seen.st_size > limit:
            return Seen(mode, None, seen)
        # It may grow while it is read.
        data = file.read() if limit is None else file.read(limit + 1)
        return Seen(mode, None if limit is not None and len(data) > limit else data, seen)


def digest(root: int, path: bytes) -> tuple[int, bytes, int] | None:
    """Returns the git mode of a file, the name that its bytes have as a blob, and how many they are.

    It is read in pieces, however large it is. None if there is no file; a link is none.
    """
    try:
        with folder_of(root, path) as (folder, name):
            descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return None
        # Source: gitformat-pack, an object is named by the SHA-1 of its header and contents.
        name_of = hashlib.sha1(b"blob %d\0" % seen.st_size, usedforsecurity=False)
        while piece := file.read(PIECE):
            name_of.update(piece)
        return trees.PROGRAM if seen.st_mode & stat.S_IXUSR else trees.FILE, name_of.digest(), seen.st_size


def write(root: int, path: bytes, data: bytes, mode: int, temporary: bytes) -> os.stat_result:
    """Puts a file or link in place with one rename, making folders as needed.

    Args:
        root: The folder's descriptor.
        path: Where to.
        data: The bytes, or the target of a link.
        mode: A git mode: file, program or link.
        temporary: A name that is not yet in the file's folder.

    Returns:
        The stat of what was written.

    Raises:
        OSError: Something other than folders is in the way.
    """
    with folder_of(root, path, create=True) as (folder, name):
        try:
            if mode == trees.LINK:
                os.symlink(data, temporary, dir_fd=folder)
            else:
                _fill(os.open(temporary, _CREATE, 0o777 if mode == trees.PROGRAM else 0o666, dir_fd=folder), data)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        return os.stat(name, dir_fd=folder, follow_symlinks=False)


def _fill(descriptor: int, data: bytes) -> None:
    """Writes all bytes to an open file and closes it."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def remove(root: int, path: bytes) -> None:
    """Removes a file or link, and the folders that it leaves empty; nothing happens if it is gone."""
    try:
        with folder_of(root, path) as (folder, name):
            os.unlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
    parent = path.rpartition(b"/")[0]
    while parent:
        try:
            with folder_of(root, parent) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError:
            return
        parent = parent.rpartition(b"/")[0]


def entries_in(root: int, path: bytes) -> list[tuple[bytes, bool]]:
    """Lists the names in one folder, with whether each is a folder itself; a link is none.

    Raises:
        OSError: It is missing, or no folder.
    """
    with folder_of(root, path) as (parent, name):
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
    try:
        with os.scandir(descriptor) as rows:
            return sorted((os.fsencode(row.name), row.is_dir(follow_symlinks=False)) for row in rows)
    finally:
        os.close(descriptor)


def names_in(root: int, path: bytes) -> list[bytes]:
    """Lists the files, links and others below a folder, as paths; links are not followed."""
    found: list[bytes] = []
    waiting = [path]
    while waiting:
        current = waiting.pop()
        with folder_of(root, current) as (parent, name):
            descriptor = os.open(name, _FOLDER, dir_fd=parent)
        try:
            with os.scandir(descriptor) as rows:
                for row in rows:
                    below = current + b"/" + os.fsencode(row.name)
                    if row.is_dir(follow_symlinks=False):
                        waiting.append(below)
                    else:
                        found.append(below)
        finally:
            os.close(descriptor)
    return sorted(found)
