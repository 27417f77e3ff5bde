"""What a policy asks the operating system to hold, below the classifier; nothing that tightens it is ever lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

ConfinementLevel = Literal["off", "best-effort", "enforced"]
_STRICTNESS: dict[ConfinementLevel, int] = {"off": 0, "best-effort": 1, "enforced": 2}

LIMITS = ("processes", "memory_mb", "file_mb", "open_files", "cpu_s", "tmp_mb", "disk_mb")
"""The fields of `Confinement` of which the smaller counts."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What is to hold; a limit of None is the built-in one.

    Args:
        level: `best-effort` takes all that the machine can hold, `enforced` starts nothing if that is not everything.
        writable: Further folders that commands may write, absolute or `~/…`; only a person's own file can name them.
        hidden: Further paths that commands may not read, the same.
        network: Further hosts that a command which was approved to reach the network may reach; only a person's own
            file can name them.
        processes: Processes and threads of the session at once.
        memory_mb: What one process may write to in memory.
        file_mb: The size of one file.
        open_files: Of one process.
        cpu_s: Of one process.
        tmp_mb: Of each private temporary folder.
        disk_mb: Of all files of the session together.
    """

    level: ConfinementLevel = "best-effort"
    writable: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    processes: int | None = None
    memory_mb: int | None = None
    file_mb: int | None = None
    open_files: int | None = None
    cpu_s: int | None = None
    tmp_mb: int | None = None
    disk_mb: int | None = None


def tighten(base: Confinement, other: Confinement) -> Confinement:
    """Combines both so that nothing gets looser: the smaller limit, the higher level, more that is hidden."""
    limits: dict[str, Any] = {
        name: min((one for one in (getattr(base, name), getattr(other, name)) if one is not None), default=None)
        for name in LIMITS
    }
    level = max(base.level, other.level, key=_STRICTNESS.__getitem__)
    return replace(base, level=level, hidden=tuple(dict.fromkeys((*base.hidden, *other.hidden))), **limits)


def passed_over(base: Confinement, wanted: Confinement) -> list[str]:
    """Says, key by key, what would loosen, and is left out by `tighten`; trusting a repository changes nothing here."""
    found = []
    if _STRICTNESS[wanted.level] < _STRICTNESS[base.level]:
        found.append(f'confinement.level = "{wanted.level}"')
    if wanted.writable != base.writable:
        found.append("confinement.writable")
    if wanted.network != base.network:
        found.append("confinement.network")
    for name in LIMITS:
        before, after = getattr(base, name), getattr(wanted, name)
        if before is not None and after is not None and after > before:
            found.append(f"confinement.{name} = {after}")
    return found
