"""What a session's worktree takes, and whether that is more, or for longer, than the policy wants."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentos_lsp.domain.policy import Policy

SHOWN_BYTES = 16 << 20
"""A smaller worktree is not worth a line on its session's page."""


def beyond(size_bytes: int, age: timedelta, rules: Policy) -> str:
    """Says which limits of the policy a worktree is beyond, empty for none; nothing is ever removed for it."""
    found: list[str] = []
    if rules.disk_mb is not None and size_bytes > rules.disk_mb << 20:
        found.append(f"more than the policy's {rules.disk_mb} MiB")
    if rules.age_days is not None and age > timedelta(days=rules.age_days):
        found.append(f"{age.days} days old, more than the policy's {rules.age_days}")
    return ", ".join(found)


def line(size_bytes: int, age: timedelta, rules: Policy) -> str:
    """Returns the line of a session's page, empty where there is nothing to say."""
    over = beyond(size_bytes, age, rules)
    if not over and size_bytes < SHOWN_BYTES:
        return ""
    return f"Disk: {shown(size_bytes)}" + (f"; {over}; merge or discard it" if over else "")


def shown(size_bytes: int) -> str:
    """Shows a size as a person reads it."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
