"""Folders on their way out: renamed away at once, deleted when there is time, without following a link."""

from __future__ import annotations

import contextlib
import os
from itertools import count
from pathlib import Path

from agentos_lsp.effects.git import opening

NAME = ".trash"
"""The folder, beside the worktrees, that holds what is to be deleted."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 64
"""How many folders are open at once; what lies deeper is moved up first."""


def throw(folder: str) -> None:
    """Renames a folder into the trash beside it; nothing happens if there is none.

    Raises:
        OSError: The rename failed.
    """
    if not os.path.lexists(folder):
        return
    source = Path(folder)
    trash = source.parent / NAME
    trash.mkdir(0o700, exist_ok=True)
    for number in count():
        place = trash / f"{source.name}.{number}"
        with contextlib.suppress(FileExistsError):
            place.mkdir(0o700)
            source.rename(place / source.name)
            return


def empty(folder: str) -> int:
    """Deletes what was thrown away beside the worktrees in a folder.

    Args:
        folder: The folder that holds worktrees and the trash.

    Returns:
        How many things could not be deleted; the next call tries them again.

    Raises:
        EffectError: The trash cannot be read.
    """
    with opening.attempting(f"empty the trash in {folder}"):
        if not Path(folder).is_dir():
            return 0
        for found in _thrown(folder):
            delete(str(found))
        return len(_thrown(folder))


def _thrown(folder: str) -> list[Path]:
    """Lists the trash, and what an interrupted deletion had moved out of its depths."""
    return [found for found in Path(folder).iterdir() if found.name.startswith(NAME)]


def delete(folder: str) -> None:
    """Deletes a folder, or the link or file in its place, as far as possible, without raising or following a link."""
    parent, _, name = folder.rpartition("/")
    try:
        above = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        moved = [name]
        numbers = count()
        while moved:
            _delete(above, moved.pop(), above, moved, numbers, 0)
    finally:
        os.close(above)


def _delete(folder: int, name: str, top: int, moved: list[str], numbers: count[int], depth: int) -> None:
    """Deletes one entry of an open folder with everything below it."""
    try:
        os.unlink(name, dir_fd=folder)
        return
    except IsADirectoryError:
        pass
    except PermissionError:
        if not _is_folder(folder, name):
            return
    except OSError:
        return
    if depth == _DEEPEST:
        place = f"{NAME}-deep-{os.getpid()}-{next(numbers)}"
        with contextlib.suppress(OSError):
            os.rename(name, place, src_dir_fd=folder, dst_dir_fd=top)
            moved.append(place)
        return
    with contextlib.suppress(OSError):
        inside = _entered(folder, name)
        try:
            for below in os.listdir(inside):  # noqa: PTH208 - a descriptor has no pathlib form
                _delete(inside, below, top, moved, numbers, depth + 1)
        finally:
            os.close(inside)
        os.rmdir(name, dir_fd=folder)


def _is_folder(folder: int, name: str) -> bool:
    """Tells a folder from a file that may not be unlinked; macOS says EPERM for both."""
    try:
        os.close(os.open(name, _FOLDER, dir_fd=folder))
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _entered(folder: int, name: str) -> int:
    """Opens a folder to empty it, making it writable for its owner first."""
    try:
        inside = os.open(name, _FOLDER, dir_fd=folder)
    except PermissionError:
        _make_writable(folder, name)
        inside = os.open(name, _FOLDER, dir_fd=folder)
    os.fchmod(inside, 0o700)
    return inside


def _make_writable(folder: int, name: str) -> None:
    """Lets the owner into a folder, through a descriptor: a link that takes its place meanwhile is not followed."""
    if hasattr(os, "O_PATH"):
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            Path(f"/proc/self/fd/{handle}").chmod(0o700)
        finally:
            os.close(handle)
    else:
        os.chmod(name, 0o700, dir_fd=folder, follow_symlinks=False)
