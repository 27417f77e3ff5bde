"""Paths as text: what an agent wrote, split into components that may be walked. Pure; no file is looked at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentos_lsp.effects.files import outcomes

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_LIMIT_BYTES = 255
PATH_LIMIT_BYTES = 4095

# Source: git's utf8.c (next_hfs_char), the code points that HFS+ ignores in file names.
_IGNORED_BY_HFS = dict.fromkeys([*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF])
_SHORT_NAME = re.compile(r"git~[0-9]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def components(path: str, roots: Iterable[str]) -> tuple[str, ...] | outcomes.Refused:
    """Splits a path of an agent into components relative to the worktree; () is the worktree itself.

    Args:
        path: Relative to the worktree, or absolute below one of `roots`; forward slashes.
        roots: The absolute names of the worktree's folder.
    """
    if not path:
        return outcomes.Refused("name", "The path is empty; name a file relative to the worktree.")
    if "\0" in path:
        return outcomes.Refused("name", "The path holds a NUL byte.")
    try:
        encoded = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return outcomes.Refused("name", "The path is not valid Unicode.")
    if len(encoded) > PATH_LIMIT_BYTES:
        return outcomes.Refused("name", f"The path is longer than {PATH_LIMIT_BYTES} bytes.")
    if path.startswith("/"):
        inside = next((path[len(root) :] for root in roots if path == root or path.startswith(f"{root}/")), None)
        if inside is None:
            return outcomes.Refused(
                "outside", f"{path!r} is outside the worktree; name files relative to the worktree's root."
            )
        path = inside
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if ".." in parts:
        return outcomes.Refused(
            "outside", f"{path!r} climbs with '..'; name the file relative to the worktree's root, without '..'."
        )
    for part in parts:
        if len(part.encode("utf-8", "surrogateescape")) > NAME_LIMIT_BYTES:
            return outcomes.Refused("name", f"A name in the path is longer than {NAME_LIMIT_BYTES} bytes.")
    return parts


def writable(parts: tuple[str, ...]) -> outcomes.Refused | None:
    """Says why nothing may be written, deleted or moved under that name, None if it may.

    The names are judged as every file system that the repository may be checked out on would read them.
    """
    if not parts:
        return outcomes.Refused("directory", "That is the worktree itself; name a file inside it.")
    for part in parts:
        if is_git_name(part):
            return outcomes.Refused(
                "git",
                f"{part!r} holds git's own files (on some file system it is read as '.git'); they are changed through "
                "git commands only, and a repository inside the worktree is not made by writing its files.",
            )
        if "\\" in part:
            return outcomes.Refused("name", f"{part!r} holds a backslash; use forward slashes between folders.")
        if _CONTROL.search(part):
            return outcomes.Refused("name", f"{part!r} holds a control character; choose a printable name.")
    return None


def is_git_name(name: str) -> bool:
    r"""Tells whether some file system reads the name as `.git`: other case, `git~1`, ignored characters, streams.

    Source: git's path.c (is_ntfs_dotgit) and utf8.c (is_hfs_dotgit), core.protectNTFS and core.protectHFS.
    """
    plain = name.translate(_IGNORED_BY_HFS).casefold()
    plain = plain.split("\\", 1)[0].split(":", 1)[0].rstrip(" .")
    return plain == ".git" or _SHORT_NAME.fullmatch(plain) is not None
