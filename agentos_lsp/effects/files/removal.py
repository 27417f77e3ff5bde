"""Removes and renames by folder descriptors: whole folders without following a link, and our own leftovers."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_RENAME_NOREPLACE = 1  # Source: renameat2(2).
_LEFTOVER = re.compile(r"\.agentos-[0-9]+-[0-9]+\.partial")
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_ROUNDS = 8
_DEPTH_LIMIT = 150


def leftover_name(number: int) -> str:
    """Names a file that is being written; O_EXCL makes a name that can be foreseen harmless."""
    return f".agentos-{os.getpid()}-{number}.partial"


def remove(folder: int, name: str, depth: int = 0) -> int:
    """Removes the folder `name` and all that is in it, staying on its file system.

    A link in it is removed, not followed; a folder that is swapped for a link meanwhile is not entered.

    Args:
        folder: The descriptor of the folder that holds it.
        name: One component.
        depth: How many folders above it are being removed already.

    Returns:
        How many entries were removed.

    Raises:
        OSError: Something could not be removed, is on another file system (EXDEV), or folders are nested deeper than
            our descriptors reach (E2BIG); the rest may be gone already.
    """
    if depth > _DEPTH_LIMIT:
        raise OSError(errno.E2BIG, "folders are nested too deep", name)
    held = os.open(name, _FOLDER, dir_fd=folder)
    try:
        if os.fstat(held).st_dev != os.fstat(folder).st_dev:
            raise OSError(errno.EXDEV, "another file system is mounted there", name)
        removed = _empty(held, depth)
    finally:
        os.close(held)
    os.rmdir(name, dir_fd=folder)
    return removed + 1


def rename_to_free_name(source_folder: int, source: str, target_folder: int, target: str) -> None:
    """Renames and never replaces; without the kernel's help (other than Linux) a name that appears meanwhile may be.

    Raises:
        FileExistsError: The target's name is taken.
        OSError: As for `os.rename`.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is not None:
        old, new = os.fsencode(source), os.fsencode(target)
        if renameat2(source_folder, old, target_folder, new, ctypes.c_uint(_RENAME_NOREPLACE)) == 0:
            return
        code = ctypes.get_errno()
        # Source: renameat2(2): EINVAL also means that the file system does not support the flag.
        if code not in {errno.ENOSYS, errno.EINVAL}:
            raise OSError(code, os.strerror(code), target)
    with contextlib.suppress(FileNotFoundError):
        os.stat(target, dir_fd=target_folder, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder)


def remove_leftovers(root: int) -> Iterator[str]:
    """Removes files named by `leftover_name` of any process anywhere below, and yields their relative paths."""
    yield from _leftovers(root, "", _DEPTH_LIMIT)


def _empty(folder: int, depth: int) -> int:
    """Removes all entries; a few rounds, because somebody may go on writing into the folder."""
    removed = 0
    for _ in range(_ROUNDS):
        with os.scandir(folder) as scan:
            entries = [entry.name for entry in scan]
        if not entries:
            break
        for name in entries:
            with contextlib.suppress(FileNotFoundError):
                removed += _remove_one(folder, name, depth)
    return removed


def _remove_one(folder: int, name: str, depth: int) -> int:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        return remove(folder, name, depth + 1)
    os.unlink(name, dir_fd=folder)
    return 1


def _leftovers(folder: int, prefix: str, depth: int) -> Iterator[str]:
    with os.scandir(folder) as scan:
        entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in scan]
    for name, is_folder in entries:
        if is_folder and depth:
            with contextlib.suppress(OSError):
                held = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    yield from _leftovers(held, f"{prefix}{name}/", depth - 1)
                finally:
                    os.close(held)
        elif _LEFTOVER.fullmatch(name):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
                yield f"{prefix}{name}"
