"""The doors that a session's place stands on. The demo brings others, and everything above them is the same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from agentos_lsp.effects.files import Disk
    from agentos_lsp.effects.git import Git
    from agentos_lsp.effects.process import Processes
    from agentos_lsp.effects.process.sandbox.backends import Cage


class Ports(Protocol):
    """Hands out blocks of port numbers; see `process.ports`."""

    BLOCK: int

    def take(self, state_folder: Path, session: str) -> int | None:
        """Returns the first port of the session's block, None if there is none to be had."""

    def free(self, state_folder: Path, session: str) -> None:
        """Gives the session's block back."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Git, the disk, processes and ports, each behind its door.

    `processes` makes a session's, from a random word and what works out their cage. `banner` is what every page says at
    its top: the demo has one, and writes no file at all.
    """

    git: Git
    disk: Disk
    processes: Callable[[str, Callable[[], Cage | None]], Processes]
    ports: Ports
    banner: str = ""


def real() -> Doors:
    """Returns the doors to this machine."""
    from agentos_lsp.effects.files import disk  # noqa: PLC0415 - the demo needs none of them, and has none in a browser
    from agentos_lsp.effects.git import on_disk  # noqa: PLC0415 - as above
    from agentos_lsp.effects.process import commands, helpers, ports, programs  # noqa: PLC0415 - as above

    return Doors(
        on_disk.OnDisk(helpers.run, programs.run_git),
        disk.OnDisk(),
        lambda mark, cage: commands.Processes(mark, cage=cage),
        ports,
    )
