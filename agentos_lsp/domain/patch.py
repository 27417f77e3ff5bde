"""Unified patches as agents write them: counts may be wrong, paths may have prefixes, and no line may be guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEADER = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")


class BadPatchError(ValueError):
    """The text is no patch, or a part of it does not fit; says what to mend."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """One place: whole lines before and after; `near` is the line that its header names, counted from 1, or 0."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    near: int


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What happens to one file; `created` and `deleted` are never both true."""

    path: str
    hunks: tuple[Hunk, ...]
    created: bool = False
    deleted: bool = False


def parse(text: str) -> tuple[FilePatch, ...]:
    """Reads a unified patch.

    Raises:
        BadPatchError: It is none.
    """
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    files: list[FilePatch] = []
    number = 0
    while number < len(lines):
        if not _begins_file(lines, number):
            if lines[number].startswith("@@"):
                raise BadPatchError("A hunk stands before any file: begin with `--- a/PATH` and `+++ b/PATH`.")
            number += 1
            continue
        old, new = _path(lines[number][4:]), _path(lines[number + 1][4:])
        hunks, number = _hunks(lines, number + 2)
        if old is None and new is None:
            raise BadPatchError("A file is /dev/null on both sides.")
        if old is not None and new is not None and old != new:
            raise BadPatchError(f"A patch does not rename: use `move` from {old} to {new} first.")
        if not hunks:
            raise BadPatchError(f"{new or old} has no hunk: each begins with `@@ -LINE,COUNT +LINE,COUNT @@`.")
        files.append(FilePatch(new or old or "", hunks, created=old is None, deleted=new is None))
    if not files:
        raise BadPatchError("This is no unified patch: it begins with `--- a/PATH` and `+++ b/PATH`, then `@@` hunks.")
    return tuple(files)


def _begins_file(lines: list[str], number: int) -> bool:
    following = lines[number + 1] if number + 1 < len(lines) else ""
    return lines[number].startswith("--- ") and following.startswith("+++ ")


def _path(text: str) -> str | None:
    name = text.split("\t", maxsplit=1)[0].strip()
    if name == "/dev/null":
        return None
    return name[2:] if name.startswith(("a/", "b/")) else name


def _hunks(lines: list[str], number: int) -> tuple[tuple[Hunk, ...], int]:
    hunks: list[Hunk] = []
    while number < len(lines) and lines[number].startswith("@@"):
        header = _HEADER.match(lines[number])
        number += 1
        old: list[str] = []
        new: list[str] = []
        while number < len(lines) and not lines[number].startswith(("@@", "diff --git ")):
            line = lines[number]
            if _begins_file(lines, number):
                break
            mark, rest = line[:1], line[1:]
            if mark not in {"", " ", "+", "-", "\\"}:
                raise BadPatchError(
                    f"Line {number + 1} of the patch begins with {mark!r}: its lines begin with a blank, + or -"
                )
            if mark in {"", " ", "-"}:
                old.append(rest)
            if mark in {"", " ", "+"}:
                new.append(rest)
            number += 1
        if old == new:
            raise BadPatchError("A hunk changes nothing: it has no + or - line.")
        hunks.append(Hunk(tuple(old), tuple(new), int(header[1]) if header else 0))
    return tuple(hunks), number


def created_text(file: FilePatch) -> str:
    """Returns the whole text of a file that a patch creates."""
    return "".join(f"{line}\n" for hunk in file.hunks for line in hunk.new)


def replacement(text: str, hunk: Hunk) -> tuple[str, str]:
    """Turns a hunk into a text that stands once in a file, and what replaces it.

    Args:
        text: The file as it is now.
        hunk: Whole lines; where they stand more than once, the place nearest to its header counts.

    Returns:
        The old and the new text, without the line break after their last line.

    Raises:
        BadPatchError: The lines are not there, or it cannot be said where.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    old, new = list(hunk.old), list(hunk.new)
    if not old:
        raise BadPatchError("A hunk without a line that is there cannot be placed: give lines of context around it.")
    places = [at for at in range(len(lines) - len(old) + 1) if lines[at : at + len(old)] == old]
    if not places:
        raise BadPatchError(_not_there(lines, old))
    if len(places) > 1 and not hunk.near:
        raise BadPatchError(f"The lines stand {len(places)} times: give more lines of context, or the line in `@@`.")
    at = min(places, key=lambda place: abs(place - (hunk.near - 1)))
    first, last = at, at + len(old)
    whole = "\n".join(lines)
    # An edit replaces what stands once, so lines around are taken in until that holds; where nothing takes the place
    # of the old lines, one is needed so that their line break goes with them.
    while True:
        before, after = lines[first:at], lines[at + len(old) : last]
        wanted = "\n".join([*before, *old, *after])
        replaced = "\n".join([*before, *new, *after])
        is_whole = first == 0 and last == len(lines)
        if is_whole or (wanted and (new or before or after) and _stands_once(wanted, whole)):
            return wanted, replaced
        first, last = max(0, first - 1), min(len(lines), last + 1)


def _stands_once(wanted: str, text: str) -> bool:
    """Whether a text is in another once, also where finds would overlap."""
    return text.find(wanted) == text.rfind(wanted)


def _not_there(lines: list[str], old: list[str]) -> str:
    stripped = [line.strip() for line in lines]
    missing = next((line for line in old if line not in lines), None)
    if missing is None:
        return "The hunk's lines are in the file, but not next to each other: read the file again."
    if missing.strip() in stripped:
        there = lines[stripped.index(missing.strip())]
        return f"{missing!r} is not in the file; {there!r} is: mind the blanks."
    return f"{missing!r} is not in the file: read it again and copy its lines exactly."
