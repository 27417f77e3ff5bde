"""A worktree whose files are read, written, edited, deleted and moved without ever leaving it."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import stat
import sys
from typing import TYPE_CHECKING, Concatenate, NoReturn, ParamSpec, Self, TypeVar

from agentos_lsp.domain.errors import EffectError, UserError
from agentos_lsp.effects.files import beneath, names, outcomes, removal, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

WRITE_LIMIT_BYTES = 64 * 2**20
KEPT_LIMIT_BYTES = 16 * 2**20
EDIT_LIMIT_BYTES = 8 * 2**20
LISTING_LIMIT = 10_000
_CHUNK_BYTES = 2**20
_SAFE_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NOFOLLOW", 0)
_READ = _SAFE_READ & ~getattr(os, "O_NOFOLLOW", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)

_counter = itertools.count(1)
_P = ParamSpec("_P")
_R = TypeVar("_R")


class _StoppedError(Exception):
    """Carries a refusal out of the depth of one operation; never leaves this module."""

    def __init__(self, refusal: outcomes.Refused) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _door(
    words: str,
) -> Callable[
    [Callable[Concatenate[ConfinedTree, str, _P], _R]],
    Callable[Concatenate[ConfinedTree, str, _P], _R | outcomes.Refused],
]:
    """Turns what the operating system says into refusals for the agent and EffectErrors for the rest."""

    def decorate(
        operation: Callable[Concatenate[ConfinedTree, str, _P], _R],
    ) -> Callable[Concatenate[ConfinedTree, str, _P], _R | outcomes.Refused]:
        @functools.wraps(operation)
        def guarded(tree: ConfinedTree, path: str, /, *args: _P.args, **options: _P.kwargs) -> _R | outcomes.Refused:
            tree.verify()
            try:
                return operation(tree, path, *args, **options)
            except _StoppedError as stopped:
                return stopped.refusal
            except OSError as error:
                refusal = _refusal(path, error)
                if refusal is not None:
                    return refusal
                raise EffectError(
                    "files", f"{words} {path!r}", error.strerror or "the operating system refused", retry_may_help=True
                ) from error

        return guarded

    return decorate


class ConfinedTree:
    """One worktree, held by its root's descriptor; its methods are plain functions for threads, and safe in several.

    Invariant: no method opens, creates, renames or removes anything that is not beneath the root at that moment; the
    kernel is only ever given single names relative to a descriptor, or a path with RESOLVE_BENEATH.

    Reads follow links that stay inside. Writes, deletions and moves go through no link at all: a link is itself deleted
    or moved, and a file behind a link is written under its own name. A file is replaced as a whole by a rename, so
    another name of the same file outside (a hard link) keeps its content.

    Not a boundary against processes: what a command may do is the business of effects/process.
    """

    def __init__(self, root: str, opener: beneath.Opener | None = None) -> None:
        """Opens the worktree's folder once; every later operation starts from it.

        Args:
            root: The worktree's absolute folder; may itself lie behind links, which are resolved here, once.
            opener: How paths are resolved, the best of this machine if not given.

        Raises:
            UserError: This operating system is not supported yet.
            EffectError: The folder is missing or is no folder.
        """
        if sys.platform == "win32" or os.open not in os.supports_dir_fd:
            raise UserError(
                "Confined file access is not supported on this operating system yet.",
                "Run agentos-lsp on Linux or macOS, or under WSL.",
            )
        self.root = os.path.realpath(root)
        self._names = tuple(dict.fromkeys((self.root, root.rstrip("/"))))
        self._opener = opener or beneath.best()
        try:
            self._descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError as error:
            raise EffectError(
                "files", f"open the worktree {root!r}", error.strerror or "it cannot be opened", retry_may_help=False
            ) from error
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives the folder back; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def verify(self) -> None:
        """Checks that the root's name still means the folder that was opened.

        Raises:
            EffectError: The worktree was closed, removed, or replaced by something else.
        """
        if self._descriptor < 0:
            raise EffectError("files", "use the worktree", "it was closed", retry_may_help=False)
        try:
            found = os.lstat(self.root)
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._identity:
            raise EffectError(
                "files", f"use the worktree {self.root!r}", "it was removed or replaced", retry_may_help=False
            )

    @_door("read")
    def read(self, path: str, *, limit_bytes: int) -> outcomes.FileContent:
        """Reads the first `limit_bytes` of a regular file, through links that stay inside."""
        with self._opened(self._parts(path), _READ, path) as descriptor:
            found = _regular(descriptor, path)
            data = _first(descriptor, limit_bytes)
            size = max(found.st_size, len(data))
            return outcomes.FileContent(data[:limit_bytes], size > limit_bytes, size, stat.S_IMODE(found.st_mode))

    @_door("write")
    def write(self, path: str, data: bytes, *, create_parents: bool = True) -> outcomes.Written:
        """Writes a file whole, by an atomic replace that keeps its permission bits; a new file gets 0644 less umask."""
        if len(data) > WRITE_LIMIT_BYTES:
            _stop("large", f"{path!r} would be larger than {WRITE_LIMIT_BYTES} bytes; write less, or by a command.")
        parts = self._target(path)
        with self._parent(parts, path, create=create_parents) as folder:
            there = _present(folder, parts[-1], path)
            before = None if there is None else _kept(folder, parts[-1], path)
            _replace(folder, parts[-1], data, None if there is None else stat.S_IMODE(there.st_mode) & 0o777)
        return outcomes.Written("/".join(parts), there is None, before, len(data))

    @_door("edit")
    def edit(self, path: str, old: str, new: str, *, expected: int = 1) -> outcomes.Edited:
        """Replaces exact text that stands in the file `expected` times; line endings and byte-order mark stay."""
        parts = self._target(path)
        with self._parent(parts, path, create=False) as folder:
            there = _present(folder, parts[-1], path)
            if there is None:
                _stop("missing", f"{path!r} does not exist; list the folder to see what does.")
            if there.st_size > EDIT_LIMIT_BYTES:
                _stop("large", f"{path!r} is larger than {EDIT_LIMIT_BYTES} bytes; edit it by a command.")
            with _closing(os.open(parts[-1], _SAFE_READ | os.O_CLOEXEC, dir_fd=folder)) as descriptor:
                seen = _regular(descriptor, path)
                before = _first(descriptor, EDIT_LIMIT_BYTES)
            after = text.replace(before, old, new, expected=expected)
            if isinstance(after, text.NotReplaced):
                _stop(after.reason, f"{path!r}: {after.message}")
            # A lost update is refused as far as it can be seen; nobody can be kept out between look and rename.
            now = _present(folder, parts[-1], path)
            if now is None or _version(now) != _version(seen):
                _stop("changed", f"{path!r} was changed by somebody else meanwhile; read it again.")
            _replace(folder, parts[-1], after, stat.S_IMODE(seen.st_mode) & 0o777)
        return outcomes.Edited("/".join(parts), before, len(after))

    @_door("replace")
    def exchange(
        self, path: str, before: bytes | None, after: bytes | None, *, program: bool | None = None
    ) -> outcomes.Exchanged:
        """Replaces a file whose content is known, and nothing else.

        Args:
            path: The file.
            before: What it holds; None if its name is free.
            after: What it shall hold; None to remove it, with the folders that this leaves empty.
            program: Whether it shall be executable; None to leave that as it is.
        """
        parts = self._target(path)
        with self._parent(parts, path, create=before is None) as folder:
            there = _present(folder, parts[-1], path)
            seen = None if there is None else _known(folder, parts[-1], path, before)
            if (seen is None) != (before is None):
                _stop("changed", f"{path!r} was {'removed' if seen is None else 'made'} by somebody else meanwhile.")
            if after is not None:
                mode = stat.S_IMODE(seen.st_mode) & 0o777 if seen is not None else None
                _replace(folder, parts[-1], after, _with_program(mode, program=program), free=seen is None)
            elif seen is not None:
                os.unlink(parts[-1], dir_fd=folder)
        if after is None:
            self._remove_empty(parts[:-1])
        return outcomes.Exchanged("/".join(parts), None if after is None else len(after))

    def _remove_empty(self, parts: tuple[str, ...]) -> None:
        while parts:
            try:
                with _closing(beneath.folder(self._opener, self._descriptor, parts[:-1], links=False)) as folder:
                    os.rmdir(parts[-1], dir_fd=folder)
            except OSError:
                return
            parts = parts[:-1]

    @_door("delete")
    def delete(self, path: str, *, recursive: bool = False) -> outcomes.Deleted:
        """Deletes a file, a link (never what it points to), an empty folder, or with `recursive` a whole folder."""
        parts = self._target(path)
        with self._parent(parts, path, create=False) as folder:
            name = parts[-1]
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                before = _kept(folder, name, path) if stat.S_ISREG(found.st_mode) else None
                os.unlink(name, dir_fd=folder)
                return outcomes.Deleted("/".join(parts), 1, before)
            if recursive:
                return outcomes.Deleted("/".join(parts), removal.remove(folder, name), None)
            try:
                os.rmdir(name, dir_fd=folder)
            except OSError as error:
                if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                    _stop("directory", f"{path!r} is a folder that is not empty; ask for a recursive deletion.")
                raise
            return outcomes.Deleted("/".join(parts), 1, None)

    @_door("move")
    def move(self, source: str, target: str, *, create_parents: bool = True) -> outcomes.Moved:
        """Moves a file, link or folder to a name that is free; a link is moved, not what it points to."""
        begin, end = self._target(source), self._target(target)
        if begin == end[: len(begin)]:
            _stop("exists", f"{source!r} cannot be moved onto or into itself.")
        with self._parent(begin, source, create=False) as out:
            os.stat(begin[-1], dir_fd=out, follow_symlinks=False)
            with self._parent(end, target, create=create_parents) as into:
                try:
                    removal.rename_to_free_name(out, begin[-1], into, end[-1])
                except FileExistsError:
                    _stop("exists", f"{target!r} exists already; delete it first, or choose another name.")
        return outcomes.Moved("/".join(begin), "/".join(end))

    @_door("list")
    def list(self, path: str) -> outcomes.Listing:
        """Lists a folder by name, without following the links in it; `.` is the worktree."""
        found: list[outcomes.Entry] = []
        truncated = False
        with self._opened(self._parts(path), os.O_RDONLY | os.O_DIRECTORY, path) as folder, os.scandir(folder) as scan:
            for item in scan:
                if len(found) == LISTING_LIMIT:
                    truncated = True
                    break
                with contextlib.suppress(FileNotFoundError):
                    found.append(_entry(item.name, os.stat(item.name, dir_fd=folder, follow_symlinks=False)))
        return outcomes.Listing(tuple(sorted(found, key=lambda entry: entry.name)), truncated)

    @_door("look at")
    def stat(self, path: str) -> outcomes.Entry:
        """Looks at one name without following it if it is a link; `.` is the worktree."""
        parts = self._parts(path)
        if not parts:
            return _entry(".", os.fstat(self._descriptor))
        with self._opened(parts[:-1], os.O_RDONLY | os.O_DIRECTORY, path) as folder:
            return _entry(parts[-1], os.stat(parts[-1], dir_fd=folder, follow_symlinks=False))

    def remove_leftovers(self) -> tuple[str, ...]:
        """Removes half-written files that a crash of ours left, for when a session resumes; returns their paths."""
        self.verify()
        return tuple(removal.remove_leftovers(self._descriptor))

    def _parts(self, path: str) -> tuple[str, ...]:
        parts = names.components(path, self._names)
        if isinstance(parts, outcomes.Refused):
            raise _StoppedError(parts)
        return parts

    def _target(self, path: str) -> tuple[str, ...]:
        parts = self._parts(path)
        refusal = names.writable(parts)
        if refusal is not None:
            raise _StoppedError(refusal)
        return parts

    @contextlib.contextmanager
    def _opened(self, parts: tuple[str, ...], flags: int, path: str) -> Iterator[int]:
        try:
            descriptor = self._opener.open(self._descriptor, parts, flags, links=True)
        except beneath.LinkInTheWayError:
            _stop("symlink", f"{path!r} goes through a link that is not followed.")
        except beneath.OutsideError:
            _stop("outside", f"{path!r} leads out of the worktree through a link or a mount.")
        with _closing(descriptor):
            yield descriptor

    @contextlib.contextmanager
    def _parent(self, parts: tuple[str, ...], path: str, *, create: bool) -> Iterator[int]:
        """Opens the folder that holds the last of `parts`, through no link."""
        try:
            if create:
                descriptor = beneath.ensure_folder(self._opener, self._descriptor, parts[:-1])
            else:
                descriptor = beneath.folder(self._opener, self._descriptor, parts[:-1], links=False)
        except beneath.LinkInTheWayError:
            _stop("symlink", self._link_words(parts[:-1], path))
        except beneath.OutsideError:
            _stop("outside", f"{path!r} leads out of the worktree through a mount.")
        with _closing(descriptor):
            yield descriptor

    def _link_words(self, parts: tuple[str, ...], path: str) -> str:
        """Names the link in the way, for words only: by now it may be gone."""
        for length in range(len(parts)):
            with contextlib.suppress(OSError):
                holder = beneath.folder(self._opener, self._descriptor, parts[:length], links=False)
                with _closing(holder):
                    target = beneath.link_target(holder, parts[length])
                if target is not None:
                    return _through(path, "/".join(parts[: length + 1]), target)
        return f"{path!r} goes through a link; write the file under its own name."


def _known(folder: int, name: str, path: str, content: bytes | None) -> os.stat_result | None:
    """Returns the stat of a file that holds `content`; stops if it holds something else."""
    if content is None:
        _stop("exists", f"{path!r} exists already, with content of its own.")
    with _closing(os.open(name, _SAFE_READ | os.O_CLOEXEC, dir_fd=folder)) as descriptor:
        seen = _regular(descriptor, path)
        if seen.st_size != len(content) or _first(descriptor, len(content)) != content:
            _stop("changed", f"{path!r} was changed by somebody else meanwhile; look at it again.")
    now = _present(folder, name, path)
    if now is None or _version(now) != _version(seen):
        _stop("changed", f"{path!r} was changed by somebody else meanwhile; look at it again.")
    return seen


def _with_program(mode: int | None, *, program: bool | None) -> int | None:
    """Returns permission bits with execution for whoever may read, or without; None for a new file's usual ones."""
    if program is None or (mode is None and not program):
        return mode
    bits = 0o644 if mode is None else mode
    return bits | (bits & 0o444) >> 2 if program else bits & ~0o111


def _replace(folder: int, name: str, data: bytes, mode: int | None, *, free: bool = False) -> None:
    """Writes beside the file and renames over it, so that readers see the old or the new file and never a part.

    With `free`, a file that has appeared under the name meanwhile is never replaced.
    """
    while True:
        beside = removal.leftover_name(next(_counter))
        try:
            descriptor = os.open(beside, _CREATE, 0o644, dir_fd=folder)
            break
        except FileExistsError:
            continue
    try:
        with _closing(descriptor):
            if mode is not None:
                os.fchmod(descriptor, mode)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        if free:
            removal.rename_to_free_name(folder, beside, folder, name)
        else:
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise


def _present(folder: int, name: str, path: str) -> os.stat_result | None:
    """Returns the regular file under that name, None if the name is free; stops at anything else."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(found.st_mode):
        _stop("symlink", _through(path, path, beneath.link_target(folder, name) or "?"))
    _check_regular(found, path)
    return found


def _kept(folder: int, name: str, path: str) -> bytes | None:
    """Returns what would be lost, None where it is too big to keep."""
    with _closing(os.open(name, _SAFE_READ | os.O_CLOEXEC, dir_fd=folder)) as descriptor:
        if _regular(descriptor, path).st_size > KEPT_LIMIT_BYTES:
            return None
        data = _first(descriptor, KEPT_LIMIT_BYTES)
        return data if len(data) <= KEPT_LIMIT_BYTES else None


def _first(descriptor: int, limit_bytes: int) -> bytes:
    """Reads up to one byte more than the limit, so that the caller sees whether there is more."""
    pieces: list[bytes] = []
    wanted = limit_bytes + 1
    while wanted > 0:
        piece = os.read(descriptor, min(wanted, _CHUNK_BYTES))
        if not piece:
            break
        pieces.append(piece)
        wanted -= len(piece)
    return b"".join(pieces)


def _regular(descriptor: int, path: str) -> os.stat_result:
    found = os.fstat(descriptor)
    _check_regular(found, path)
    return found


def _check_regular(found: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        _stop("directory", f"{path!r} is a folder; name a file in it, or list it.")
    if not stat.S_ISREG(found.st_mode):
        _stop("special", f"{path!r} is a pipe, a device or a socket; only regular files are read and written.")


def _version(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _entry(name: str, found: os.stat_result) -> outcomes.Entry:
    mode = found.st_mode
    kind: outcomes.Kind = "special"
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "symlink"
    return outcomes.Entry(name, kind, 0 if kind == "directory" else found.st_size, stat.S_IMODE(mode))


def _through(path: str, link: str, target: str) -> str:
    return f"{path!r} is written through no link: {link!r} points to {target!r}; name the file itself."


def _refusal(path: str, error: OSError) -> outcomes.Refused | None:
    match error.errno:
        case errno.ENOENT:
            return outcomes.Refused("missing", f"{path!r} does not exist; list the folder to see what does.")
        case errno.ENOTDIR:
            return outcomes.Refused("missing", f"{path!r} goes through something that is not a folder.")
        case errno.EISDIR:
            return outcomes.Refused("directory", f"{path!r} is a folder; name a file in it, or list it.")
        case errno.ELOOP:
            return outcomes.Refused("symlink", f"{path!r} became a link meanwhile; links are not followed.")
        case errno.ENXIO | errno.ENODEV | errno.EOPNOTSUPP:
            return outcomes.Refused(
                "special", f"{path!r} is a pipe, a device or a socket; only regular files are used."
            )
        case errno.ENAMETOOLONG | errno.EILSEQ | errno.EINVAL:
            return outcomes.Refused("name", f"{path!r} is not a name that this file system takes.")
        case errno.EEXIST:
            return outcomes.Refused("exists", f"{path!r} was made by somebody else meanwhile.")
        case errno.ENOTEMPTY:
            return outcomes.Refused("changed", f"Somebody writes into {path!r} while it is deleted; try again.")
        case errno.EACCES | errno.EPERM:
            return outcomes.Refused("permission", f"The permissions of {path!r} or its folder do not allow it.")
        case _:
            return None


def _stop(reason: outcomes.Reason, message: str) -> NoReturn:
    raise _StoppedError(outcomes.Refused(reason, message))


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
