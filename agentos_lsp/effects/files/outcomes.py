"""What a file operation gives back: what was done, or a refusal with words for the agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "outside",
    "symlink",
    "git",
    "name",
    "missing",
    "exists",
    "directory",
    "special",
    "binary",
    "occurrences",
    "large",
    "changed",
    "permission",
]
"""Why nothing was touched.

`outside`: the path leads out of the worktree. `symlink`: a link is in the way. `git`: git's own files. `name`: not a
usable file name. `special`: a pipe, device or socket. `binary`: not editable as text. `occurrences`: the text to
replace is not there as often as expected. `changed`: somebody else wrote the file meanwhile.
"""

Kind = Literal["file", "directory", "symlink", "special"]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was touched; `message` says why and what to do instead."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class FileContent:
    """The first bytes of a file; `size_bytes` is the whole file's size, `mode` its permission bits."""

    data: bytes
    truncated: bool
    size_bytes: int
    mode: int


@dataclass(frozen=True, slots=True)
class Written:
    """A file was written whole; `before` is what it held, None if it is new or was too big to keep."""

    path: str
    created: bool
    before: bytes | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Edited:
    """Text was replaced; `before` is what the file held."""

    path: str
    before: bytes
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A file whose content was known holds something else; `size_bytes` is None if it is gone."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file, a link or a folder is gone; `entries` counts what was removed, `before` is a single file's content."""

    path: str
    entries: int
    before: bytes | None


@dataclass(frozen=True, slots=True)
class Moved:
    """`source` is now `target`, both relative to the worktree."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a folder, not followed if it is a link; `size_bytes` is 0 for folders."""

    name: str
    kind: Kind
    size_bytes: int
    mode: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A folder's entries by name; `truncated` if it holds more than are shown."""

    entries: tuple[Entry, ...]
    truncated: bool
