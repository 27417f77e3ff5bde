"""The clock on the wall, for whoever wires a runtime."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Reads the clock."""
    return datetime.now(UTC)
