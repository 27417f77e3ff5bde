"""Turns a change in git into what the inspector looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain import policy

if TYPE_CHECKING:
    from agentos_lsp.domain import diff


def file(change: diff.FileChange, content: bytes | None, held: str = "") -> policy.ChangedFile:
    """Returns a changed file with its new lines.

    Args:
        change: What happened to it.
        content: What it holds after the change, None if it is gone.
        held: Through what git passes it, empty if that is not known, or through nothing.
    """
    added: list[tuple[int, str]] = []
    for hunk in change.hunks:
        number = hunk.new_start
        for line in hunk.lines:
            if line.kind == "+":
                added.append((number, line.text))
            number += line.kind != "-"
    known = not change.binary and not change.too_large
    return policy.ChangedFile(
        change.path,
        content,
        len(content or b""),
        tuple(added),
        known,
        mode=change.new_mode,
        old_mode=change.old_mode,
        old_path=change.old_path,
        held=held or ("a filter" if change.held else ""),
    )
