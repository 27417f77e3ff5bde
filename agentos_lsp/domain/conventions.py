"""What other tools' files say about making a worktree ready: read and offered to the person, never run unasked."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = ("conductor.json", ".cursor/worktrees.json", ".codex/environments/environment.toml")
"""Where such files lie, relative to the root.

Source: the documentation of Conductor (`scripts.setup`), of Cursor's worktrees (`setup-worktree`, with `-unix`), and of
Codex's local environments (`[setup] script`).
"""

LINES = 20
CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Offer:
    """Lines that a file would have run in a fresh worktree."""

    file: str
    lines: tuple[str, ...]


def offers(read: Callable[[str], bytes | None]) -> tuple[Offer, ...]:
    """Returns what the files of a repository offer; one that cannot be understood offers nothing.

    Args:
        read: Returns a file's content, None if there is none.
    """
    found: list[Offer] = []
    for file in FILES:
        data = read(file)
        lines = () if data is None else _lines(file, data)
        if lines:
            found.append(Offer(file, lines))
    return tuple(found)


def _lines(file: str, data: bytes) -> tuple[str, ...]:
    try:
        text = data.decode()
        told: Any = tomllib.loads(text) if file.endswith(".toml") else json.loads(text)
    except (ValueError, RecursionError):
        return ()
    wanted: list[Any] = []
    if isinstance(told, dict):
        for outer, inner in (("scripts", "setup"), ("setup", "script")):
            table = told.get(outer)
            wanted += [table.get(inner)] if isinstance(table, dict) else []
        wanted += [told.get("setup-worktree-unix", told.get("setup-worktree"))]
    rows = [row for one in wanted for row in (one if isinstance(one, list) else [one]) if isinstance(row, str)]
    lines = [line.strip() for row in rows for line in row.splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#") and len(line) <= CHARACTERS)[:LINES]
