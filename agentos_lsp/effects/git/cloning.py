"""Heavy ignored folders of a person's checkout, such as `node_modules` or `.venv`, cloned into a worktree.

Each file shares its blocks with the original where the file system can do that (a clone of its own, never a hard link:
a write on one side does not show on the other), and is copied elsewhere. Only a folder that git ignores on both sides
is taken, so that none of it can be staged; nothing is overwritten, and links are made again and not followed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.effects.git import beneath, opening, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree

LIMIT_FILES = 500_000
PARTS = ".cloning"
"""The folder beside worktrees in which clones are made before they are moved into place."""

STALE_S = 24 * 3600
_TOO_LARGE, _UNWANTED = "it is too large for this disk", "the start was cancelled"
SPARE_BYTES = 2 << 30
"""How much of the disk must be left free by copies."""

# Source: Linux include/uapi/linux/fs.h, `FICLONE`, as `_IOW(0x94, 9, int)`.
_FICLONE = 0x40049409
_PIECE = 1 << 20
_RENAMED_BYTES = 64 << 10
"""The largest file in which the checkout's own path is looked for."""


@dataclass(frozen=True, slots=True)
class Cloned:
    """Folders that are in the worktree now, and those that were asked for and are not, each with why."""

    made: tuple[str, ...]
    left: tuple[str, ...]


class _GivenUpError(Exception):
    """It is not wanted any more, or there is no room for the rest; its words say which."""


@dataclass
class _Work:
    """One folder on its way: where paths of the checkout lead in the worktree, and how far it has come."""

    old: bytes
    new: bytes
    cancelled: Callable[[], bool]
    files: int = 0
    clones: bool = sys.platform.startswith("linux")


def clone(
    checkout: Checkout, worktree: Worktree, folders: Sequence[str], cancelled: Callable[[], bool] = lambda: False
) -> Cloned:
    """Clones ignored folders of a checkout; each is made beside the worktree and moved into it once it is whole.

    Args:
        checkout: The person's.
        worktree: Fresh; no agent has been in it.
        folders: Relative to the root.
        cancelled: Asked at each file; what is whole by then stays.

    Raises:
        EffectError: git failed.
    """
    made: list[str] = []
    left: list[str] = []
    with opening.attempting(f"clone folders into {worktree.folder}"):
        source, target = beneath.open_folder(checkout.root), beneath.open_folder(worktree.folder)
        try:
            for name in folders:
                path = name.strip("/")
                why = _unfit(checkout, worktree, (source, target), path) or _cloned(
                    (source, target),
                    os.fsencode(path),
                    _Work(os.fsencode(checkout.root), os.fsencode(worktree.folder), cancelled),
                )
                if why:
                    left.append(f"{path}/: {why}")
                else:
                    made.append(f"{path}/")
        finally:
            os.close(source)
            os.close(target)
    return Cloned(tuple(made), tuple(left))


def _unfit(checkout: Checkout, worktree: Worktree, roots: tuple[int, int], path: str) -> str:
    """Says why a folder is not taken, empty if it is."""
    raw = os.fsencode(path)
    names = raw.split(b"/")
    if not path or any(name in {b"", b".", b".."} or trees.is_forbidden(name) for name in names):
        return "no folder of the repository"
    seen = beneath.look(roots[0], raw)
    if seen is None:
        return "not in your checkout"
    if not stat.S_ISDIR(seen.st_mode):
        return "no folder"
    if beneath.look(roots[1], raw) is not None:
        return "there already"
    sides = ((checkout.git_dir, None), (worktree.common_dir, worktree.folder))
    if not all(opening.ignores(opening.repository(*side), f"{path}/") for side in sides):
        return "not ignored by git, so it could be committed by accident"
    return ""


def _cloned(roots: tuple[int, int], path: bytes, work: _Work) -> str:
    """Clones one folder; returns why it was not, and then nothing of it is in the worktree."""
    part = secrets.token_hex(8).encode()
    try:
        with contextlib.ExitStack() as stack:
            above, name = stack.enter_context(beneath.folder_of(roots[0], path))
            beside = _beside(work.new)
            stack.callback(os.close, beside)
            stack.callback(shutil.rmtree, part, ignore_errors=True, dir_fd=beside)
            _folder((above, name), (beside, part), work)
            to, last = stack.enter_context(beneath.folder_of(roots[1], path, create=True))
            os.rename(part, last, src_dir_fd=beside, dst_dir_fd=to)
    except _GivenUpError as error:
        return str(error)
    except OSError as error:
        return f"{error.strerror}"
    return ""


def _beside(worktree: bytes) -> int:
    """Opens the folder in which clones are made, on the worktree's file system; what a crash left goes after a day."""
    folder = Path(os.fsdecode(worktree)).parent / PARTS
    folder.mkdir(0o700, exist_ok=True)
    os.utime(folder)
    now = folder.stat().st_mtime
    for left in folder.iterdir():
        with contextlib.suppress(OSError):
            if left.lstat().st_mtime < now - STALE_S:
                shutil.rmtree(left, ignore_errors=True)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def _opened(above: int, name: bytes, flags: int, mode: int = 0o777) -> Iterator[int]:
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _folder(old: tuple[int, bytes], new: tuple[int, bytes], work: _Work) -> None:
    """Makes a folder again, each by its parent and its name, with all that is in it.

    Raises:
        _GivenUpError: There is no room for it, or it is not wanted any more.
        OSError: The disk failed.
    """
    mode = os.stat(old[1], dir_fd=old[0], follow_symlinks=False).st_mode & 0o777
    os.mkdir(new[1], 0o700, dir_fd=new[0])
    with (
        _opened(*old, os.O_RDONLY | os.O_DIRECTORY) as here,
        _opened(*new, os.O_RDONLY | os.O_DIRECTORY) as there,
    ):
        with os.scandir(here) as rows:
            entries = [(os.fsencode(row.name), row.stat(follow_symlinks=False)) for row in rows]
        for entry, seen in entries:
            work.files += 1
            if work.cancelled():
                raise _GivenUpError(_UNWANTED)
            if work.files > LIMIT_FILES:
                raise _GivenUpError(_TOO_LARGE)
            if stat.S_ISDIR(seen.st_mode):
                _folder((here, entry), (there, entry), work)
            elif stat.S_ISLNK(seen.st_mode):
                os.symlink(_renamed(os.readlink(entry, dir_fd=here), work), entry, dir_fd=there)
            elif stat.S_ISREG(seen.st_mode):
                _file((here, there), old[1], entry, seen, work)
        os.fchmod(there, mode)


def _file(folders: tuple[int, int], above: bytes, name: bytes, seen: os.stat_result, work: _Work) -> None:
    with (
        _opened(folders[0], name, os.O_RDONLY) as old,
        _opened(folders[1], name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, seen.st_mode & 0o700) as new,
    ):
        text = os.read(old, _RENAMED_BYTES + 1) if _names_its_place(above, name) else b"\0"
        os.lseek(old, 0, os.SEEK_SET)
        if len(text) <= _RENAMED_BYTES and b"\0" not in text:
            os.write(new, _renamed(text, work))
        elif not _shared(old, new, work):
            room = os.fstatvfs(new)
            if room.f_bavail * room.f_frsize < seen.st_size + SPARE_BYTES:
                raise _GivenUpError(_TOO_LARGE)
            _copied(old, new)
        os.fchmod(new, seen.st_mode & 0o777)
        os.utime(new, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _names_its_place(above: bytes, name: bytes) -> bool:
    """Whether a file may say where its virtual environment lies: one made for the checkout would lead back there."""
    return above in {b"bin", b"Scripts"} or name == b"pyvenv.cfg" or name.endswith(b".pth")


def _renamed(text: bytes, work: _Work) -> bytes:
    """Returns a text with paths of the checkout turned into those of the worktree."""
    return text.replace(work.old + b"/", work.new + b"/")


def _shared(old: int, new: int, work: _Work) -> bool:
    """Lets two files share their blocks until one is written; tells whether the file system could."""
    if not work.clones:
        return False
    try:
        fcntl.ioctl(new, _FICLONE, old)
    except OSError:
        # It is the same for every file of this folder.
        work.clones = False
        return False
    return True


def _copied(old: int, new: int) -> None:
    while piece := os.read(old, _PIECE):
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(new, rest) :]
