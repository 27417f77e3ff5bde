"""Fills a fresh folder with a tree's files: copied from a clean checkout where that is possible, else from git.

Invariant: the folder is new and no agent has run in it; still no link in it is ever followed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.effects.git import beneath, blobs, conversions, copying, indexes, trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentos_lsp.effects.git.opening import Repository

STEP = 128
"""After how many files progress is told and a cancellation is noticed."""

HELPED_FROM = 1500
"""From how many files on worker processes copy them: below, starting those takes longer than they save."""

HELPERS = 2

Row = tuple[bytes, trees.Entry, indexes.Stated]

Helpers = Callable[[str, Sequence[bytes], Callable[[int], None], Callable[[], bool]], list[bytes] | None]
"""Runs a script once for each job: `effects/process/helpers.run`, which the caller brings."""


@dataclass(frozen=True, slots=True)
class Source:
    """A checkout to copy from: its folder, what its index calls clean, and since when that can be trusted."""

    folder: str
    clean: Mapping[bytes, indexes.Indexed]
    before_ns: int
    """When the index was written: a file touched at that moment or later is not trusted (git's "racily clean")."""

    @classmethod
    def of(cls, folder: str, index: str) -> Source:
        """Reads a checkout's index; an index that cannot be read makes a source with nothing in it."""
        try:
            before_ns = Path(index).stat().st_mtime_ns
        except OSError:
            before_ns = 0
        return cls(folder, indexes.read(index), before_ns)

    def wish(self, path: bytes, entry: trees.Entry) -> copying.Wish | None:
        """Returns what to copy if the index says that the checkout has this very file."""
        known = self.clean.get(path)
        if known is None or known.entry != entry or entry.mode not in trees.REGULAR:
            return None
        return copying.Wish(path, entry.mode == trees.PROGRAM, known.size, known.mtime_ns, known.ctime_ns, known.inode)


class Ended(Protocol):
    """How the git program ended: its exit code, None if it took too long, and the last that it said."""

    @property
    def code(self) -> int | None:
        """The exit code."""

    @property
    def words(self) -> str:
        """The last of its standard error."""


Program = Callable[[Sequence[str], str, bytes, Callable[[], bool]], Ended | None]
"""Runs the git program: `effects/process/programs.run_git`, which the caller brings."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a creation may use: worker processes, how much they yield, a shelf with spares, and the git program."""

    helpers: Helpers | None = None
    nice: int = 0
    shelf: str | None = None
    program: Program | None = None


ALONE = Means()
"""This process, and nothing made ahead."""


def fill(
    repository: Repository,
    folder: str,
    files: Sequence[tuple[bytes, trees.Entry]],
    source: Source,
    *,
    convert: bool,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
    means: Means = ALONE,
) -> list[Row] | None:
    """Writes every file of a tree into a folder.

    Args:
        repository: Holds the objects; opened with `folder`, whose attribute files count where `convert` is asked for.
        folder: Where to; exists and is empty.
        files: What to write.
        source: A checkout that may hold the same files.
        convert: Whether line endings may differ between git and the folder.
        progress: Told (files written, files in all).
        cancelled: Asked now and then.
        means: With helpers, they copy what can be copied if that is much.

    Returns:
        The rows of an index, or None if cancelled half-way.

    Raises:
        OSError: The disk is full, or something is in the way.
    """
    copied = _helped(folder, files, source, means, progress, cancelled)
    if copied is None:
        return None
    # Attribute files come first, as git has them: what they say counts for the others, and for themselves.
    ordered = sorted(files, key=lambda row: not _is_attributes(row[0])) if convert else files
    rows: list[Row] = []
    attributes: list[tuple[bytes, trees.Entry, bytes]] = []
    with contextlib.ExitStack() as stack:
        target = copying.Folder(_opened(stack, folder), create=True)
        origin = copying.Folder(_opened(stack, source.folder), create=False)
        stack.callback(target.close)
        stack.callback(origin.close)
        for done, (path, entry) in enumerate(ordered):
            made = copied.get(path)
            if made is not None:
                rows.append((path, entry, made))
                continue
            if done % STEP == 0:
                if cancelled():
                    return None
                progress(done, len(files))
            wish = source.wish(path, entry)
            there = origin.at(path) if wish is not None else None
            data = copying.unchanged(there, wish, source.before_ns) if wish is not None and there is not None else None
            if data is None and entry.mode != trees.SUBMODULE:
                data = blobs.read(repository, entry.oid)
                if convert and entry.mode != trees.LINK:
                    if _is_attributes(path):
                        _placed(target, path, entry.mode, data)
                        attributes.append((path, entry, data))
                        continue
                    rows += _converted(repository, target, attributes)
                    data = conversions.to_folder(repository, path, data, entry.oid)
            rows.append((path, entry, _placed(target, path, entry.mode, data or b"")))
        rows += _converted(repository, target, attributes)
    progress(len(files), len(files))
    return rows


def _helped(
    folder: str,
    files: Sequence[tuple[bytes, trees.Entry]],
    source: Source,
    means: Means,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> dict[bytes, indexes.Stated] | None:
    """Has worker processes copy what can be copied; returns the stat of each file they wrote, None if cancelled."""
    wishes = [wish for path, entry in files if (wish := source.wish(path, entry)) is not None]
    if means.helpers is None or len(wishes) < HELPED_FROM:
        return {}
    step = -(-len(wishes) // HELPERS)
    parts = [wishes[at : at + step] for at in range(0, len(wishes), step)]
    names = (os.fsencode(source.folder), os.fsencode(folder))
    jobs = [copying.pack(*names, source.before_ns, means.nice, part) for part in parts]

    def heard(count: int) -> None:
        progress(count // copying.ANSWER_BYTES, len(files))

    answers = means.helpers(str(Path(copying.__file__)), jobs, heard, cancelled)
    if answers is None:
        return None
    found: dict[bytes, indexes.Stated] = {}
    for part, answer in zip(parts, answers, strict=True):
        for wish, made in zip(part, copying.unpack(answer), strict=False):
            if made is not None:
                found[wish.path] = made
    if len(found) < len(wishes):
        _clear_unanswered(folder, [wish.path for wish in wishes if wish.path not in found])
    return found


def _clear_unanswered(folder: str, paths: Sequence[bytes]) -> None:
    """Removes what a worker wrote without saying so, because it was killed: those files are written anew."""
    root = beneath.open_folder(folder)
    try:
        for path in paths:
            beneath.remove(root, path)
    finally:
        os.close(root)


def _is_attributes(path: bytes) -> bool:
    return path.rpartition(b"/")[2] == b".gitattributes"


def _converted(
    repository: Repository, target: copying.Folder, attributes: list[tuple[bytes, trees.Entry, bytes]]
) -> list[Row]:
    """Writes the waiting attribute files again, now that all of them are there to be asked about themselves."""
    texts = [conversions.to_folder(repository, path, data, entry.oid) for path, entry, data in attributes]
    rows: list[Row] = []
    for (path, entry, _), text in zip(attributes, texts, strict=True):
        os.unlink(path.rpartition(b"/")[2], dir_fd=target.at(path))
        rows.append((path, entry, _placed(target, path, entry.mode, text)))
    attributes.clear()
    return rows


def _opened(stack: contextlib.ExitStack, folder: str) -> int:
    descriptor = beneath.open_folder(folder)
    stack.callback(os.close, descriptor)
    return descriptor


def _placed(target: copying.Folder, path: bytes, mode: int, data: bytes) -> os.stat_result:
    """Creates one file, link or submodule folder and returns its stat."""
    folder = target.at(path)
    if folder is None:
        raise FileNotFoundError(os.fsdecode(path))
    name = path.rpartition(b"/")[2]
    if mode == trees.LINK:
        os.symlink(data, name, dir_fd=folder)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    if mode == trees.SUBMODULE:
        os.mkdir(name, dir_fd=folder)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    return copying.created(folder, name, data, program=mode == trees.PROGRAM)
