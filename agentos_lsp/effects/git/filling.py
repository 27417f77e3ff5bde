"""Fills a fresh folder with a tree's files: copied from a clean checkout where that is possible, else from git.

Invariant: the folder is new and no agent has run in it; still no link in it is ever followed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.effects.git import beneath, blobs, conversions, copying, drafts, trees

if TYPE_CHECKING:
    from agentos_lsp.effects.git.opening import Repository

STEP = 128
"""After how many files progress is told and a cancellation is noticed."""

HELPED_FROM = 1500
"""From how many files on worker processes copy them: below, starting those takes longer than they save."""

HELPERS = 2

Helpers = Callable[[str, Sequence[bytes], Callable[[int], None], Callable[[], bool]], list[bytes] | None]
"""Runs a script once for each job: `effects/process/helpers.run`, which the caller brings."""


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

_Written = tuple[int, bytes, trees.Entry, bytes]
"""An attribute file that is written as git keeps it: where its entry begins, its path, its entry, and its bytes."""


def fill(
    repository: Repository,
    folder: str,
    draft: drafts.Draft,
    *,
    leave: Collection[int] = (),
    convert: bool,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
    means: Means = ALONE,
) -> bool:
    """Writes every file of a tree into a folder, and notes in the draft of its index how each looks.

    Args:
        repository: Holds the objects; opened with `folder`, whose attribute files count where `convert` is asked for.
        folder: Where to; exists and is empty.
        draft: The tree's files, and a checkout that may hold the same.
        leave: Where the entries begin whose files are not written.
        convert: Whether line endings may differ between git and the folder.
        progress: Told (files written, files in all).
        cancelled: Asked now and then.
        means: With helpers, they copy what can be copied if that is much.

    Returns:
        Whether it came to an end; if not, it was cancelled half-way.

    Raises:
        OSError: The disk is full, or something is in the way.
    """
    total = len(draft.starts)
    for at in leave:
        draft.forget(at)
    with contextlib.ExitStack() as stack:
        target = copying.Folder(_opened(stack, folder), create=True)
        stack.callback(target.close)
        if means.helpers is not None and draft.knows(HELPED_FROM):
            left = _helped(folder, draft, means.helpers, means.nice, progress, cancelled)
        else:
            left = _copied(draft, target, progress, cancelled)
        if left is None:
            return False
        left = [at for at in left if at not in leave]
        if convert:
            # Attribute files come first, as git has them: what they say counts for the others, and for themselves.
            left.sort(key=lambda at: not _is_attributes(draft.row(at)[0]))
        attributes: list[_Written] = []
        for number, at in enumerate(left):
            if number and number % STEP == 0:
                if cancelled():
                    return False
                progress(total - len(left) + number, total)
            path, entry = draft.row(at)
            data = b"" if entry.mode == trees.SUBMODULE else blobs.read(repository, entry.oid)
            if convert and entry.mode in trees.REGULAR:
                if _is_attributes(path):
                    _placed(target, path, entry.mode, data)
                    attributes.append((at, path, entry, data))
                    continue
                _convert(repository, target, draft, attributes)
                data = conversions.to_folder(repository, path, data, entry.oid)
            draft.note(at, _placed(target, path, entry.mode, data))
        _convert(repository, target, draft, attributes)
    progress(total, total)
    return True


def _copied(
    draft: drafts.Draft,
    target: copying.Folder,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> list[int] | None:
    """Copies what can be copied; returns where the entries of all others begin, None if cancelled."""
    left: list[int] = []
    with contextlib.ExitStack() as stack:
        origin = copying.Folder(_opened(stack, draft.source), create=False)
        stack.callback(origin.close)
        carried = copying.carry(draft.entries, origin, target, draft.before_ns)
        for number, (at, _, done) in enumerate(carried):
            if not done:
                left.append(at)
            if number % STEP == 0:
                if cancelled():
                    return None
                progress(number - len(left), len(draft.starts))
    return left


def _helped(
    folder: str,
    draft: drafts.Draft,
    helpers: Helpers,
    nice: int,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> list[int] | None:
    """Has worker processes copy what can be copied; returns the same."""
    parts = draft.parts(HELPERS)
    names = (os.fsencode(draft.source), os.fsencode(folder))
    jobs = [copying.pack(*names, draft.before_ns, nice, draft.entries[begin:end]) for begin, end in parts]

    def heard(count: int) -> None:
        progress(min(count * len(draft.starts) // len(draft.entries), len(draft.starts)), len(draft.starts))

    answers = helpers(str(Path(copying.__file__)), jobs, heard, cancelled)
    if answers is None:
        return None
    left: list[int] = []
    for (begin, end), answer in zip(parts, answers, strict=True):
        answered, not_copied = copying.unpack(answer)
        draft.entries[begin : begin + len(answered)] = answered
        left += (begin + at for at in not_copied)
        if begin + len(answered) < end:
            left += _cleared(folder, draft, begin + len(answered), end)
    return left


def _cleared(folder: str, draft: drafts.Draft, begin: int, end: int) -> list[int]:
    """Removes what a worker wrote without saying so, because it was killed; returns where its entries begin."""
    left = [at for at in draft.starts if begin <= at < end]
    root = beneath.open_folder(folder)
    try:
        for at in left:
            beneath.remove(root, draft.row(at)[0])
    finally:
        os.close(root)
    return left


def _is_attributes(path: bytes) -> bool:
    return path.rpartition(b"/")[2] == b".gitattributes"


def _convert(repository: Repository, target: copying.Folder, draft: drafts.Draft, attributes: list[_Written]) -> None:
    """Writes the waiting attribute files again, now that all of them are there to be asked about themselves."""
    texts = [conversions.to_folder(repository, path, data, entry.oid) for _, path, entry, data in attributes]
    for (at, path, entry, _), text in zip(attributes, texts, strict=True):
        os.unlink(path.rpartition(b"/")[2], dir_fd=target.at(path))
        draft.note(at, _placed(target, path, entry.mode, text))
    attributes.clear()


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
