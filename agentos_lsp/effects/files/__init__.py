"""Confined reads and writes in a worktree; the only door through which agents' file tools pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from agentos_lsp.effects.files import outcomes
    from agentos_lsp.effects.files.watch import Watch


class Files(Protocol):
    """The files of one folder, on the disk (`tree.ConfinedTree`) or in memory; plain functions for threads.

    Paths are relative to the folder, or absolute below it. What cannot be done is a refusal with words for an agent.
    """

    def __enter__(self) -> Self:
        """Opens it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""

    def close(self) -> None:
        """Gives the folder back; idempotent."""

    def read(self, path: str, /, *, limit_bytes: int) -> outcomes.FileContent | outcomes.Refused:
        """Reads the first bytes of a file."""

    def write(self, path: str, /, data: bytes) -> outcomes.Written | outcomes.Refused:
        """Writes a file whole, with the folders that it needs."""

    def edit(self, path: str, /, old: str, new: str) -> outcomes.Edited | outcomes.Refused:
        """Replaces exact text that stands in a file once."""

    def exchange(
        self, path: str, /, before: bytes | None, after: bytes | None, *, program: bool | None = None
    ) -> outcomes.Exchanged | outcomes.Refused:
        """Replaces a file whose content is known, and nothing else."""

    def delete(self, path: str, /, *, recursive: bool = False) -> outcomes.Deleted | outcomes.Refused:
        """Deletes a file, an empty folder, or with `recursive` a whole one."""

    def move(self, source: str, /, target: str) -> outcomes.Moved | outcomes.Refused:
        """Moves a file or folder to a name that is free."""

    def list(self, path: str, /) -> outcomes.Listing | outcomes.Refused:
        """Lists a folder by name."""

    def stat(self, path: str, /) -> outcomes.Entry | outcomes.Refused:
        """Looks at one name."""


class Disk(Protocol):
    """Folders of the user's own beside worktrees, and how worktrees are opened; on the disk (`disk.OnDisk`) or none.

    Plain functions for threads.
    """

    def files(self, root: str) -> Files:
        """Opens a folder for confined reads and writes.

        Raises:
            EffectError: It is not there.
        """

    def watch(self, root: str, wanted: Callable[[str], bool]) -> Watch:
        """Begins to watch a folder; see `watch.Watch`.

        Raises:
            OSError: It cannot be watched.
        """

    def size(self, folder: Path) -> int:
        """Returns how many bytes a folder takes; see `sizes.size`."""

    def free(self, folder: Path) -> int:
        """Returns how many bytes the disk of a folder has left for its user.

        Raises:
            EffectError: It cannot be asked.
        """

    def has_folder(self, folder: str) -> bool:
        """Whether a folder is there."""

    def make_folder(self, folder: Path) -> None:
        """Makes a folder for this user only, with those above it, if it is not there."""

    def remove_folder(self, folder: Path) -> None:
        """Removes a folder with all in it, as far as that can be done."""

    def remove_file(self, file: Path) -> None:
        """Removes a file if it is there."""

    def read_file(self, file: Path) -> bytes | None:
        """Returns a small file's content, None if it is not there or cannot be read."""

    def write_file(self, file: Path, content: bytes) -> None:
        """Writes a small file for this user only, with the folder that it needs."""

    def ends(self, spool: Path, size_bytes: int) -> tuple[int, bytes, bytes]:
        """Returns a spool's size with its first and last bytes, at most so many each; 0 if there is none."""

    def links(self, path: str) -> str | None:
        """Returns where a symbolic link leads, absolute; None if the path is no link."""
