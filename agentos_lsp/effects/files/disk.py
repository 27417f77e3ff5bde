"""The user's own disk beside worktrees: scratch folders, spools, small files; and how worktrees are opened."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.files import sizes, tree, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SHALLOW = 10  # So deep that the longest names still fit in a path of 4096 bytes.


class OnDisk:
    """See `Disk`."""

    def files(self, root: str) -> tree.ConfinedTree:
        """Opens a folder; see `tree.ConfinedTree`."""
        return tree.ConfinedTree(root)

    def watch(self, root: str, wanted: Callable[[str], bool]) -> watch.Watch:
        """Begins to watch a folder; see `watch.Watch`."""
        return watch.Watch(root, wanted)

    def size(self, folder: Path) -> int:
        """Returns how many bytes a folder takes."""
        return sizes.size(folder)

    def free(self, folder: Path) -> int:
        """Returns how many bytes the disk of a folder has left."""
        with _attempting(f"ask for the room at {folder}"):
            return shutil.disk_usage(folder).free

    def has_folder(self, folder: str) -> bool:
        """Whether a folder is there."""
        return Path(folder).is_dir()

    def make_folder(self, folder: Path) -> None:
        """Makes a folder for this user only."""
        with _attempting(f"make {folder}"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove_folder(self, folder: Path) -> None:
        """Removes a folder with all in it."""
        for piece in _shallow(str(folder)):
            shutil.rmtree(piece, ignore_errors=True)

    def remove_file(self, file: Path) -> None:
        """Removes a file if it is there."""
        file.unlink(missing_ok=True)

    def read_file(self, file: Path) -> bytes | None:
        """Returns a small file's content."""
        try:
            return file.read_bytes()
        except OSError:
            return None

    def write_file(self, file: Path, content: bytes) -> None:
        """Writes a small file for this user only."""
        with _attempting(f"write {file}"):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_bytes(content)

    def ends(self, spool: Path, size_bytes: int) -> tuple[int, bytes, bytes]:
        """Returns a spool's size with its first and last bytes."""
        size = spool.stat().st_size if spool.exists() else 0
        if size == 0:
            return 0, b"", b""
        with spool.open("rb") as stream:
            start = stream.read(size_bytes)
            stream.seek(max(0, size - size_bytes))
            return size, start, stream.read()

    def links(self, path: str) -> str | None:
        """Returns where a symbolic link leads."""
        try:
            return os.path.realpath(path) if os.path.islink(path) else None  # noqa: PTH114 - one lstat, on any text
        except (OSError, ValueError):
            return None


@contextlib.contextmanager
def _attempting(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EffectError("files", what, error.strerror or str(error), retry_may_help=True) from error


def _shallow(folder: str) -> Iterator[str]:
    """Yields a folder, and what was moved out of its depths, each so shallow that it can be removed by recursion."""
    waiting, numbers = [folder], itertools.count()
    while waiting:
        top = waiting.pop()
        below = [(top, 0)]
        while below:
            at, depth = below.pop()
            with contextlib.suppress(OSError), os.scandir(at) as rows:
                for row in rows:
                    if not row.is_dir(follow_symlinks=False):
                        continue
                    if depth < _SHALLOW:
                        below.append((row.path, depth + 1))
                        continue
                    aside = f"{folder}.deep-{next(numbers)}"
                    os.rename(row.path, aside)  # noqa: PTH104 - both are text
                    waiting.append(aside)
        yield top
