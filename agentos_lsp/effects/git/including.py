"""Ignored files of a person's checkout that a session needs, such as `.env`, copied into its worktree when asked for.

Only what git ignores on both sides is copied, so that it can never be staged; nothing is overwritten, no link followed.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pygit2.enums import DeltaStatus, DiffOption

from agentos_lsp.domain import patterns
from agentos_lsp.effects.git import beneath, blobs, copying, opening, trees

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree

FILE = ".worktreeinclude"
"""The file, at the root of the commit that a session begins from, whose patterns are taken too."""

LIMIT_BYTES = 64 << 20
LIMIT_FILES = 2000

_SWEEP = DiffOption.INCLUDE_IGNORED | DiffOption.IGNORE_SUBMODULES


@dataclass(frozen=True, slots=True)
class Included:
    """What was copied, and what was chosen and left out: not ignored in the worktree, there already, or too much."""

    copied: tuple[str, ...]
    left: tuple[str, ...]


def include(checkout: Checkout, worktree: Worktree, wanted: Sequence[str]) -> Included:
    """Copies the ignored files of a checkout that patterns choose.

    Args:
        checkout: The person's.
        worktree: Fresh; no agent has been in it.
        wanted: Patterns of the policy; those of `.worktreeinclude` come before them.

    Raises:
        EffectError: git or the disk failed.
    """
    with opening.attempting(f"copy ignored files into {worktree.folder}"):
        main = opening.repository(checkout.git_dir)
        entry = trees.Lookup(main, trees.tree_of(main, worktree.base)).file(os.fsencode(FILE))
        text = blobs.read(main, entry.oid) if entry is not None and entry.mode in {trees.FILE, trees.PROGRAM} else b""
        rules = patterns.parse([*os.fsdecode(text).splitlines(), *wanted])
        if not rules:
            return Included((), ())
        theirs = opening.repository(worktree.common_dir, worktree.folder)
        source, target = beneath.open_folder(checkout.root), beneath.open_folder(worktree.folder)
        copied: list[str] = []
        left: list[str] = []
        room = LIMIT_BYTES
        try:
            for path in _ignored(checkout, source, rules):
                seen = beneath.look(source, path)
                name = os.fsdecode(path)
                if seen is None or not stat.S_ISREG(seen.st_mode):
                    continue
                fits = seen.st_size <= room and len(copied) < LIMIT_FILES
                if not fits or not opening.ignores(theirs, name) or not _copy(source, target, path, seen):
                    left.append(name)
                    continue
                room -= seen.st_size
                copied.append(name)
        finally:
            os.close(source)
            os.close(target)
        return Included(tuple(copied), tuple(left))


def _ignored(checkout: Checkout, root: int, rules: Sequence[patterns.Pattern]) -> Iterator[bytes]:
    """Yields the ignored files that are chosen; a folder that is ignored is entered only if a pattern leads into it."""
    index = opening.repository(checkout.git_dir).index
    index.read()
    for delta in index.diff_to_workdir(_SWEEP, 0, 0).deltas:
        path = delta.new_file.raw_path
        if delta.status != DeltaStatus.IGNORED:
            continue
        if not path.endswith(b"/"):
            found = [path]
        elif patterns.may_be_below(os.fsdecode(path[:-1]), rules):
            found = beneath.names_in(root, path[:-1])
        else:
            continue
        yield from (name for name in found if patterns.chosen(os.fsdecode(name), rules))


def _copy(source: int, target: int, path: bytes, seen: os.stat_result) -> bool:
    """Copies one file, with the mode bits of its owner; tells whether nothing was in the way."""
    read = beneath.read(source, path)
    if read is None or read.data is None or read.mode == trees.LINK:
        return False
    try:
        with beneath.folder_of(target, path, create=True) as (folder, name):
            copying.created(folder, name, read.data, program=bool(seen.st_mode & 0o100))
            os.chmod(name, seen.st_mode & 0o700, dir_fd=folder, follow_symlinks=True)
    except OSError:
        return False
    return True
