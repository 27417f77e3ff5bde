"""Paths chosen by patterns in the form of ignore files: the last pattern that matches a path decides.

Source: gitignore(5), "PATTERN FORMAT".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern: what it matches, whether it takes away, and the folder that all its matches lie in ("" for any)."""

    matches: re.Pattern[str]
    negated: bool
    below: str


def parse(lines: Iterable[str]) -> tuple[Pattern, ...]:
    """Reads patterns, one a line; comments, empty lines and what is no pattern are passed over."""
    found: list[Pattern] = []
    for line in lines:
        text = line.rstrip("\r\n")
        text = text if text.endswith("\\ ") else text.rstrip(" ")
        if not text or text.startswith("#"):
            continue
        negated = text.startswith("!")
        text = text[1:] if negated else text.removeprefix("\\") if text.startswith(("\\#", "\\!")) else text
        folder = text.endswith("/")
        text = text.rstrip("/")
        anchored = "/" in text
        text = text.removeprefix("/")
        if not text:
            continue
        try:
            matches = re.compile(
                ("" if anchored else "(?:.*/)?") + _expression(text) + ("/.*" if folder else "(?:/.*)?")
            )
        except re.error:
            continue
        fixed = re.split(r"[*?\[\\]", text, maxsplit=1)[0].rpartition("/")[0] if anchored else ""
        found.append(Pattern(matches, negated, fixed))
    return tuple(found)


def _expression(text: str) -> str:
    """Returns the regular expression of one pattern without its anchors."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if text.startswith("**/", at) and (at == 0 or text[at - 1] == "/"):
            parts.append("(?:.*/)?")
            at += 3
        elif text[at:] == "**" and (at == 0 or text[at - 1] == "/"):
            parts.append(".*")
            at += 2
        elif char == "*":
            parts.append("[^/]*")
            at += 1
        elif char == "?":
            parts.append("[^/]")
            at += 1
        elif char == "[" and (end := text.find("]", at + 2)) != -1:
            inside = text[at + 1 : end].replace("\\", "\\\\")
            inside = f"^{inside[1:]}" if inside.startswith("!") else inside
            parts.append(f"(?!/)[{inside}]")
            at = end + 1
        elif char == "\\" and at + 1 < len(text):
            parts.append(re.escape(text[at + 1]))
            at += 2
        else:
            parts.append(re.escape(char))
            at += 1
    return "".join(parts)


def chosen(path: str, patterns: Iterable[Pattern]) -> bool:
    """Tells whether a path, relative and with forward slashes, is chosen."""
    verdict = False
    for pattern in patterns:
        if pattern.matches.fullmatch(path):
            verdict = not pattern.negated
    return verdict


def may_be_below(folder: str, patterns: Iterable[Pattern]) -> bool:
    """Tells whether a folder that is ignored as a whole must be looked into: a pattern names something in it."""
    inside = f"{folder}/"
    return any(
        not pattern.negated
        and (
            f"{pattern.below}/".startswith(inside)
            or (bool(pattern.below) and inside.startswith(f"{pattern.below}/"))
            or pattern.matches.fullmatch(f"{inside}\0") is not None
        )
        for pattern in patterns
    )
