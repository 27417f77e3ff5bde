"""Files in memory; see `effects.files`. What they refuse, they refuse for the reasons of the real ones."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NoReturn, Self

from agentos_lsp.domain import diff
from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.files import names, outcomes, text
from agentos_lsp.effects.simulated.objects import FILE, PROGRAM, Objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from agentos_lsp.effects.files.watch import Watch


class Files:
    """One folder's files; see `effects.files.Files`.

    Args:
        objects: Whose folder.
        root: Its name, absolute.
    """

    def __init__(self, objects: Objects, root: str) -> None:
        self._objects = objects
        self._root = root
        self._is_open = True
        self._folder = objects.folder(root)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the folder back."""
        self._is_open = False

    def read(self, path: str, /, *, limit_bytes: int) -> outcomes.FileContent | outcomes.Refused:
        """Reads the first bytes of a file."""
        with self._objects.lock:
            name = self._existing(path)
            if isinstance(name, outcomes.Refused):
                return name
            side = self._folder.files.get(name)
            if side is None:
                return outcomes.Refused("directory", f"{path!r} is a folder; name a file in it, or list it.")
            data = side.data or b""
            return outcomes.FileContent(data[:limit_bytes], len(data) > limit_bytes, len(data), side.mode & 0o777)

    def write(self, path: str, /, data: bytes) -> outcomes.Written | outcomes.Refused:
        """Writes a file whole."""
        with self._objects.lock:
            name = self._target(path)
            if isinstance(name, outcomes.Refused):
                return name
            before = self._folder.files.get(name)
            self._folder.put(name, diff.Side(FILE if before is None else before.mode, data))
            return outcomes.Written(name, before is None, None if before is None else before.data, len(data))

    def edit(self, path: str, /, old: str, new: str) -> outcomes.Edited | outcomes.Refused:
        """Replaces exact text that stands in a file once."""
        with self._objects.lock:
            name = self._target(path)
            if isinstance(name, outcomes.Refused):
                return name
            side = self._folder.files.get(name)
            if side is None:
                return _missing(path)
            before = side.data or b""
            after = text.replace(before, old, new, expected=1)
            if isinstance(after, text.NotReplaced):
                return outcomes.Refused(after.reason, f"{path!r}: {after.message}")
            self._folder.put(name, diff.Side(side.mode, after))
            return outcomes.Edited(name, before, len(after))

    def exchange(
        self, path: str, /, before: bytes | None, after: bytes | None, *, program: bool | None = None
    ) -> outcomes.Exchanged | outcomes.Refused:
        """Replaces a file whose content is known, and nothing else."""
        with self._objects.lock:
            name = self._target(path)
            if isinstance(name, outcomes.Refused):
                return name
            there = self._folder.files.get(name)
            if there is not None and before is None:
                return outcomes.Refused("exists", f"{path!r} exists already, with content of its own.")
            if (None if there is None else there.data) != before:
                what = "removed" if there is None else "changed"
                return outcomes.Refused("changed", f"{path!r} was {what} by somebody else meanwhile.")
            if after is not None:
                usual = FILE if there is None else there.mode
                self._folder.put(name, diff.Side(usual if program is None else PROGRAM if program else FILE, after))
            elif there is not None:
                del self._folder.files[name]
            return outcomes.Exchanged(name, None if after is None else len(after))

    def delete(self, path: str, /, *, recursive: bool = False) -> outcomes.Deleted | outcomes.Refused:
        """Deletes a file, an empty folder, or with `recursive` a whole one."""
        with self._objects.lock:
            name = self._existing(path, writable=True)
            if isinstance(name, outcomes.Refused):
                return name
            side = self._folder.files.get(name)
            if side is not None:
                self._folder.drop(name)
                return outcomes.Deleted(name, 1, side.data)
            below = [one for one in self._folder.files if one.startswith(f"{name}/")]
            empty = {one for one in self._folder.empty if one == name or one.startswith(f"{name}/")}
            if (below or empty != {name}) and not recursive:
                words = f"{path!r} is a folder that is not empty; ask for a recursive deletion."
                return outcomes.Refused("directory", words)
            for one in below:
                del self._folder.files[one]
            self._folder.empty -= empty
            parent = posixpath.dirname(name)
            if parent and not self._folder.has_folder(parent):
                self._folder.empty.add(parent)
            folders = {posixpath.dirname(one) for one in below} | empty | {name}
            return outcomes.Deleted(name, len(below) + len(folders), None)

    def move(self, source: str, /, target: str) -> outcomes.Moved | outcomes.Refused:
        """Moves a file or folder to a name that is free."""
        with self._objects.lock:
            begin = self._existing(source, writable=True)
            if isinstance(begin, outcomes.Refused):
                return begin
            parts = self._parts(target, writable=True)
            if isinstance(parts, outcomes.Refused):
                return parts
            end, folder = "/".join(parts), self._folder
            if f"{end}/".startswith(f"{begin}/"):
                return outcomes.Refused("exists", f"{source!r} cannot be moved onto or into itself.")
            if end in folder.files or folder.has_folder(end):
                words = f"{target!r} exists already; delete it first, or choose another name."
                return outcomes.Refused("exists", words)
            if folder.above(end) is not None:
                return _no_folder(target)
            rows = {one: side for one, side in folder.files.items() if f"{one}/".startswith(f"{begin}/")}
            empty = {one for one in folder.empty if f"{one}/".startswith(f"{begin}/")}
            for one in rows:
                del folder.files[one]
            folder.empty -= empty
            for one, side in rows.items():
                folder.put(end + one[len(begin) :], side)
            folder.empty |= {end + one[len(begin) :] for one in empty}
            parent = posixpath.dirname(begin)
            if parent and not folder.has_folder(parent):
                folder.empty.add(parent)
            return outcomes.Moved(begin, end)

    def list(self, path: str, /) -> outcomes.Listing | outcomes.Refused:
        """Lists a folder by name."""
        with self._objects.lock:
            name = self._existing(path)
            if isinstance(name, outcomes.Refused):
                return name
            if name in self._folder.files:
                return _no_folder(path)
            inside = f"{name}/" if name else ""
            known = [one[len(inside) :] for one in (*self._folder.files, *self._folder.empty) if one.startswith(inside)]
            found = sorted({one.partition("/")[0] for one in known} - {""})
            return outcomes.Listing(tuple(self._entry(inside + one, one) for one in found), truncated=False)

    def stat(self, path: str, /) -> outcomes.Entry | outcomes.Refused:
        """Looks at one name."""
        with self._objects.lock:
            name = self._existing(path)
            if isinstance(name, outcomes.Refused):
                return name
            return self._entry(name, posixpath.basename(name) or ".")

    # --- paths -------------------------------------------------------------------------------------------------

    def _entry(self, path: str, name: str) -> outcomes.Entry:
        side = self._folder.files.get(path)
        if side is None:
            return outcomes.Entry(name, "directory", 0, 0o755)
        return outcomes.Entry(name, "file", len(side.data or b""), side.mode & 0o777)

    def _parts(self, path: str, *, writable: bool) -> tuple[str, ...] | outcomes.Refused:
        if not self._is_open:
            raise EffectError("files", "use the worktree", "it was closed", retry_may_help=False)
        if self._objects.folders.get(self._root) is not self._folder:
            words = "it was removed or replaced"
            raise EffectError("files", f"use the worktree {self._root!r}", words, retry_may_help=False)
        parts = names.components(path, (self._root,))
        if isinstance(parts, outcomes.Refused) or not writable:
            return parts
        return names.writable(parts) or parts

    def _existing(self, path: str, *, writable: bool = False) -> str | outcomes.Refused:
        """Returns the name of something that is there."""
        parts = self._parts(path, writable=writable)
        if isinstance(parts, outcomes.Refused):
            return parts
        name = "/".join(parts)
        if name in self._folder.files or self._folder.has_folder(name):
            return name
        return _missing(path) if self._folder.above(name) is None else _no_folder(path)

    def _target(self, path: str) -> str | outcomes.Refused:
        """Returns the name of a file that is there or can be."""
        parts = self._parts(path, writable=True)
        if isinstance(parts, outcomes.Refused):
            return parts
        name = "/".join(parts)
        if self._folder.has_folder(name):
            return outcomes.Refused("directory", f"{path!r} is a folder; name a file in it, or list it.")
        return name if self._folder.above(name) is None else _no_folder(path)


def _missing(path: str) -> outcomes.Refused:
    return outcomes.Refused("missing", f"{path!r} does not exist; list the folder to see what does.")


def _no_folder(path: str) -> outcomes.Refused:
    return outcomes.Refused("missing", f"{path!r} goes through something that is not a folder.")


class Disk:
    """The disk that the demo does not have; see `effects.files.Disk`.

    Args:
        objects: Whose folders can be opened.
        spools: What commands have printed, by file.
    """

    def __init__(self, objects: Objects, spools: dict[str, bytes]) -> None:
        self._objects = objects
        self._spools = spools

    def files(self, root: str) -> Files:
        """Opens a folder of the repository."""
        return Files(self._objects, root)

    def watch(self, root: str, wanted: Callable[[str], bool]) -> Watch:
        """Says that nothing can be watched: nobody else writes here."""
        del wanted
        _no_notices(root)

    def free(self, folder: Path) -> int:
        """Returns that there is room for ever."""
        del folder
        return 1 << 62

    def size(self, folder: Path) -> int:
        """Returns how many bytes the files of a folder hold."""
        with self._objects.lock:
            found = self._objects.folders.get(str(folder))
            sides = () if found is None else tuple(found.files.values())
        return sum(len(side.data or b"") for side in sides)

    def has_folder(self, folder: str) -> bool:
        """Whether it is a folder of the repository."""
        return folder in self._objects.folders

    def make_folder(self, folder: Path) -> None:
        """Makes none."""

    def remove_folder(self, folder: Path) -> None:
        """Forgets the spools in it."""
        for name in [name for name in self._spools if name.startswith(f"{folder}/")]:
            del self._spools[name]

    def remove_file(self, file: Path) -> None:
        """Forgets a spool."""
        self._spools.pop(str(file), None)

    def read_file(self, file: Path) -> bytes | None:
        """Finds none."""
        del file
        return None

    def write_file(self, file: Path, content: bytes) -> None:
        """Writes none."""

    def ends(self, spool: Path, size_bytes: int) -> tuple[int, bytes, bytes]:
        """Returns a spool's size with its first and last bytes."""
        data = self._spools.get(str(spool), b"")
        return len(data), data[:size_bytes], data[-size_bytes:]

    def links(self, path: str) -> str | None:
        """Finds none."""
        del path
        return None


def _no_notices(root: str) -> NoReturn:
    raise OSError(f"{root} is in memory")
