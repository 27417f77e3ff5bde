"""Documents as read-only files in the state folder, for editors that show nothing but files."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


LOG = logging.getLogger(__name__)


class Mirrors:
    """The folder of mirrored documents; a name is a path of plain steps below it. Without `writes` it stays empty."""

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder = folder
        self._writes = writes
        self._writing = threading.Lock()

    @property
    def uri(self) -> str:
        """The address of the folder, with a slash at its end."""
        return f"file://{quote(os.fsencode(self.folder))}/"

    def has(self, name: str) -> bool:
        """Whether a document was written before."""
        return _is_plain(name.split("/")) and (self.folder / name).is_file()

    def write(self, name: str, text: str) -> bool:
        """Replaces a file by what a document says now, if it says something else.

        Returns:
            Whether the name can be a file here at all.
        """
        steps = name.split("/")
        if not _is_plain(steps) or not self._writes:
            return False
        file = self.folder.joinpath(*steps)
        content = text.encode("utf-8", "replace")
        # Editors of this kind write the same files, each in a thread of its own.
        with self._writing:
            try:
                if not _holds(file, content):
                    _replace(file, content)
            except OSError as error:
                LOG.warning("%s was not written: %s", file, error)
        return True


def _holds(file: Path, content: bytes) -> bool:
    with contextlib.suppress(OSError):
        return file.read_bytes() == content
    return False


def _replace(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    fresh.replace(file)


def _is_plain(steps: Iterable[str]) -> bool:
    return all(step not in {"", ".", ".."} and "\0" not in step for step in steps)
