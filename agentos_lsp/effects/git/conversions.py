"""Line endings on the way between a file and git, as git's attributes and settings ask.

libgit2's own filter lists are not used: pygit2 cuts their result at the first NUL byte. Files that external filter
drivers or other encodings change are not converted at all (`held`).
Source: git's convert.c (`convert_attrs`, `gather_stats`, `crlf_to_git`, `crlf_to_worktree`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pygit2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.effects.git.opening import Repository

Text = Literal["no", "yes", "auto"]

_IDENT = re.compile(rb"\$Id(?::[^$\n]*)?\$")
_LONE_RETURN = re.compile(rb"\r(?!\n)")
_LONE_NEWLINE = re.compile(rb"(?<!\r)\n")
_UNPRINTABLE = re.compile(rb"[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is converted in one file: whether it is text, whether it has CRLF in the folder, whether `$Id$` grows."""

    text: Text
    crlf: bool
    ident: bool


def rule(repository: Repository, path: bytes) -> Rule:
    """Works out the rule for a path from the attribute files in the repository's working folder and its settings."""
    automatic = setting(repository, "core.autocrlf")
    native_crlf = automatic == "true" or (automatic != "input" and setting(repository, "core.eol") == "crlf")
    text = repository.get_attr(path, b"text")
    if text is None:
        text = repository.get_attr(path, b"crlf")
    eol = repository.get_attr(path, b"eol")
    ident = repository.get_attr(path, b"ident") is True
    if text is False:
        return Rule("no", crlf=False, ident=ident)
    if text is None and eol not in {"lf", "crlf"}:
        return Rule("auto" if automatic in {"true", "input"} else "no", crlf=automatic == "true", ident=ident)
    kind: Text = "auto" if text == "auto" else "yes"
    if text == "input":
        return Rule(kind, crlf=False, ident=ident)
    return Rule(kind, crlf=native_crlf if eol not in {"lf", "crlf"} else eol == "crlf", ident=ident)


def setting(repository: Repository, name: str) -> str:
    """Reads a setting, empty if there is none; git's other words for true become that."""
    try:
        value = (repository.config[name] or "true").lower()
    except KeyError:
        return ""
    return {"yes": "true", "on": "true", "1": "true"}.get(value, value)


def may_change_checkouts(repository: Repository, attributes: Iterable[bytes]) -> bool:
    """Tells whether any file could differ between git and a folder; if not, nothing needs to be asked per file.

    Args:
        repository: Whose settings count.
        attributes: The contents of every attribute file that applies.
    """
    if setting(repository, "core.autocrlf") == "true" or setting(repository, "core.eol") == "crlf":
        return True
    return any(b"eol=crlf" in text or b"ident" in text for text in attributes)


def to_git(repository: Repository, path: bytes, data: bytes, previous: bytes | None) -> bytes:
    """Returns what git would keep for a file's bytes.

    Args:
        repository: Opened with the folder whose attribute files count.
        path: The file's path, from the root.
        data: What the file holds.
        previous: The 20-byte name of what git holds for it now, or None; a text kept with CRLF stays so.
    """
    returns, idents = b"\r\n" in data, b"$Id:" in data
    if not returns and not idents:
        return data
    how = rule(repository, path)
    if returns and how.text != "no" and not (how.text == "auto" and _stays(repository, data, previous)):
        data = data.replace(b"\r\n", b"\n")
    return _IDENT.sub(b"$Id$", data) if how.ident else data


def _stays(repository: Repository, data: bytes, previous: bytes | None) -> bool:
    """Tells whether an automatic text is left alone: it is binary, or git already holds it with CRLF."""
    if _looks_binary(data):
        return True
    if previous is None:
        return False
    kept = repository.get(pygit2.Oid(raw=previous))
    return isinstance(kept, pygit2.Blob) and b"\r\n" in kept.data and not _looks_binary(kept.data)


def to_folder(repository: Repository, path: bytes, data: bytes, oid: bytes) -> bytes:
    """Returns what git would write into a folder for the bytes it keeps under the name `oid`."""
    how = rule(repository, path)
    if how.ident:
        data = _IDENT.sub(b"$Id: " + oid.hex().encode() + b" $", data)
    if how.text == "no" or not how.crlf:
        return data
    if how.text == "auto" and (b"\r" in data or _looks_binary(data)):
        return data
    return _LONE_NEWLINE.sub(b"\r\n", data)


def _looks_binary(data: bytes) -> bool:
    """Guesses as git does for automatic texts: a NUL, a return alone, or more than one control character in 128."""
    if b"\0" in data or _LONE_RETURN.search(data):
        return True
    unprintable = len(_UNPRINTABLE.findall(data.removesuffix(b"\x1a")))
    return (len(data) - unprintable) >> 7 < unprintable
