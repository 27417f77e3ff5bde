"""Files that git passes through a program, or recodes, on their way to a folder: which they are, and how each was made.

Such a file is held: what it has in the folder is not what git keeps, and nothing here turns one into the other. No
driver ever runs on what an agent wrote; it is compared with itself as it was at creation, by the name of its bytes.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.domain.errors import EffectError
from agentos_lsp.effects.git import attributes, beneath, blobs, features, opening, trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pygit2

    from agentos_lsp.effects.git.opening import Repository

RECORD = "agentos-held"
"""In the administration folder: how each held file was when the worktree was made, which only this door reads."""

LARGEST_ATTRIBUTES = 1 << 16
"""A larger attribute file in a worktree, in bytes, is not read, and one in a commit of an agent's is refused."""

_VERSION = 1
_PARTS = ("clean", "smudge", "process")
_NOT_RECODED = {b"utf-8", b"utf8"}


class Worktree(Protocol):
    """What is asked of a session's worktree here; see `worktrees.Worktree`."""

    @property
    def folder(self) -> str:
        """Its files."""

    @property
    def admin_dir(self) -> str:
        """Its administration."""

    @property
    def common_dir(self) -> str:
        """The git directory of its repository."""

    @property
    def base(self) -> str:
        """The commit that it began from."""


@dataclass(frozen=True, slots=True)
class Original:
    """A held file as it was made: what git keeps of it, and the name that its own bytes have as a blob."""

    entry: trees.Entry
    raw: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """The held files of a worktree by path, and the checkout that they were copied from."""

    root: str
    git_dir: str
    originals: Mapping[bytes, Original]


_NO_RECORD = Record("", "", {})


class Holding:
    """Which files are held, by the attributes of every side that counts; the first side is that of the worktree's base.

    Args:
        config: The person's settings, which are asked for drivers only once attributes name one.
        sides: What each side's attribute files say; None where they hold nothing.
        record: How the held files were made.
    """

    def __init__(
        self, config: pygit2.Config, sides: Iterable[attributes.Attributes | None], record: Record = _NO_RECORD
    ) -> None:
        self._config = config
        self._drivers: frozenset[bytes] | None = None
        self._sides = tuple(sides)
        self.record = record

    def why(self, path: bytes) -> str:
        """Says through what git passes a file, empty if it is as git keeps it."""
        found = next((why for side in self._sides if (why := self._said(side, path))), "")
        return found or ("a filter" if path in self.record.originals else "")

    def is_raw(self, path: bytes) -> bool:
        """Whether a file's bytes are kept as they are: it was held when the worktree was made, or would have been."""
        return path in self.record.originals or bool(self._sides and self._said(self._sides[0], path))

    def _said(self, side: attributes.Attributes | None, path: bytes) -> str:
        said = {} if side is None else side.of(path)
        driver, encoding = said.get(b"filter"), said.get(b"working-tree-encoding")
        if isinstance(driver, bytes) and self._drivers is None:
            self._drivers = drivers(self._config)
        if isinstance(driver, bytes) and driver in (self._drivers or ()):
            return f"the filter {os.fsdecode(driver)}"
        if isinstance(encoding, bytes) and encoding.lower() not in _NOT_RECODED:
            return f"the encoding {os.fsdecode(encoding)}"
        return ""


def of_trees(repository: Repository, common_dir: str, names: Iterable[bytes]) -> Holding:
    """Returns which files any of some trees holds."""
    outside = features.attribute_files(repository.config, common_dir)
    sides = [_of_tree(repository, outside, name) for name in dict.fromkeys(names)]
    return Holding(repository.config, sides)


def of_worktree(repository: Repository, root: int, worktree: Worktree) -> Holding:
    """Returns which files are held by the attributes of a worktree's base, or by those that its folder has now."""
    outside = features.attribute_files(repository.config, worktree.common_dir)
    tree = trees.tree_of(repository, worktree.base)
    holds = _mentioned(part for texts in outside for part in texts) or _may_hold(repository, worktree.common_dir, tree)
    base = _of_tree(repository, outside, tree) if holds else None

    def read(folder: bytes) -> bytes | None:
        seen = beneath.read(root, _within(folder), LARGEST_ATTRIBUTES)
        return None if seen is None or seen.mode == trees.LINK else seen.data

    now = _said(repository, outside, read)
    return Holding(repository.config, (base, now), recorded(worktree))


def among(worktree: Worktree, paths: Iterable[str], commits: Iterable[str], git_dir: str = "") -> dict[str, str]:
    """Returns which paths are held, and through what git passes them: as the worktree's base has it, or any commit.

    Args:
        worktree: The session's.
        paths: Which are asked about.
        commits: Commits or trees beside the base.
        git_dir: Where these are, if not in the repository; see `intake`.

    Raises:
        EffectError: A commit is missing, or git failed.
    """
    with opening.attempting("look which files pass through a filter"):
        main, apart = opening.repository(worktree.common_dir), opening.repository(git_dir or worktree.common_dir)
        outside = features.attribute_files(main.config, worktree.common_dir)
        tree = trees.tree_of(main, worktree.base)
        sides = [_of_tree(main, outside, tree)]
        sides += [
            _of_tree(apart, outside, trees.tree_of(apart, one), main, LARGEST_ATTRIBUTES, trees.Lookup(main, tree))
            for one in commits
        ]
        holding = Holding(main.config, sides, recorded(worktree))
        return {path: why for path in paths if (why := holding.why(os.fsencode(path)))}


def may_hold(config: pygit2.Config, texts: Iterable[bytes]) -> bool:
    """Whether attribute files could hold any file; if not, nobody needs to be asked about each."""
    known = drivers(config)
    return any(b"working-tree-encoding" in text or (known and b"filter" in text) for text in texts)


def drivers(config: pygit2.Config) -> frozenset[bytes]:
    """Returns the names of the filters that the settings have a program for."""
    found: set[bytes] = set()
    for entry in config:
        section, _, rest = entry.name.partition(".")
        name, _, part = rest.rpartition(".")
        if section == "filter" and part in _PARTS and entry.value:
            found.add(os.fsencode(name))
    return frozenset(found)


def _mentioned(texts: Iterable[bytes]) -> bool:
    return any(b"filter" in text or b"working-tree-encoding" in text for text in texts)


_MOST_TREES = 32
_TREES: dict[bytes, bool] = {}
"""Whether an attribute file of a tree mentions a filter or an encoding, which never changes."""


def _may_hold(repository: Repository, common_dir: str, tree: bytes) -> bool:
    known = _TREES.get(tree)
    if known is None:
        special = features.special_of(repository, common_dir, tree)
        known = _mentioned(blobs.read(repository, one.oid) for one in special.values() if one.mode in trees.REGULAR)
        while len(_TREES) >= _MOST_TREES:
            _TREES.pop(next(iter(_TREES)), None)
        _TREES[tree] = known
    return known


Outside = tuple[list[bytes], list[bytes]]
"""The attribute files that are not part of a tree; see `features.attribute_files`."""


def _of_tree(
    repository: Repository,
    outside: Outside,
    tree: bytes,
    settings: Repository | None = None,
    largest: int | None = None,
    base: trees.Lookup | None = None,
) -> attributes.Attributes:
    lookup = trees.Lookup(repository, tree)

    def read(folder: bytes) -> bytes | None:
        entry = lookup.file(_within(folder))
        data = blobs.read(repository, entry.oid) if entry is not None and entry.mode in trees.REGULAR else None
        is_new = base is None or base.file(_within(folder)) != entry
        if data is not None and largest is not None and len(data) > largest and is_new:
            reason = f"it is larger than {largest} bytes"
            raise EffectError("git", f"read {os.fsdecode(_within(folder))}", reason, retry_may_help=False)
        return data

    return _said(settings or repository, outside, read)


def _said(repository: Repository, outside: Outside, read: Callable[[bytes], bytes | None]) -> attributes.Attributes:
    above, below = outside
    ignore_case = features.is_true(repository.config, "core.ignoreCase")
    return attributes.Attributes(read, above, below, ignore_case=ignore_case)


def _within(folder: bytes) -> bytes:
    return folder + b"/" + attributes.NAME if folder else attributes.NAME


def write_record(worktree: Worktree, record: Record) -> None:
    """Writes down how the held files were made; the worktree is new.

    Raises:
        OSError: It is there already, or the disk is full.
    """
    files = {
        os.fsdecode(path): [one.entry.mode, one.entry.oid.hex(), one.raw.hex()]
        for path, one in record.originals.items()
    }
    text = json.dumps({"version": _VERSION, "root": record.root, "git_dir": record.git_dir, "files": files})
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(f"{worktree.admin_dir}/{RECORD}", flags, 0o666), "w", encoding="ascii") as file:
        file.write(text)


def recorded(worktree: Worktree) -> Record:
    """Reads how the held files were made; nothing if that is not known, so that all of them count as changed."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(f"{worktree.admin_dir}/{RECORD}", flags)
    except OSError:
        return _NO_RECORD
    with os.fdopen(descriptor, "rb") as file:
        seen = os.fstat(descriptor)
        key = (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)
        known = _KNOWN.get(key)
        if known is None:
            known = _parsed(file.read())
            while len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.pop(next(iter(_KNOWN)), None)
            _KNOWN[key] = known
        return known


_MOST_KNOWN = 8
_KNOWN: dict[tuple[int, ...], Record] = {}
"""What records say, by the stat of their files."""


def _parsed(data: bytes) -> Record:
    try:
        said = json.loads(data)
        files = {
            os.fsencode(path): Original(trees.Entry(int(mode), bytes.fromhex(kept)), bytes.fromhex(raw))
            for path, (mode, kept, raw) in said["files"].items()
        }
        return Record(str(said["root"]), str(said["git_dir"]), files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _NO_RECORD
