"""The parts of the demo's runtime: the same runtime as everywhere, over doors with nothing behind them."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.cli import wiring
from agentos_lsp.effects.git.repository import Identity
from agentos_lsp.effects.simulated import confinement, files, git, log, model, objects, processes, script
from agentos_lsp.runtime import confining, models, policies, supervisor
from agentos_lsp.runtime.doors import Doors

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

BANNER = (
    "Simulated: the repository, the commands and the model are played in memory; nothing here touches your machine."
)


class Ports:
    """Hands out numbers that nobody listens on; see `doors.Ports`."""

    BLOCK = 10

    def __init__(self) -> None:
        self._first = 20_000

    def take(self, state_folder: Path, session: str) -> int | None:
        """Returns a block."""
        del state_folder, session
        return self._first

    def free(self, state_folder: Path, session: str) -> None:
        """Takes no notice."""


def parts(pace: float, now: Callable[[], datetime]) -> supervisor.Parts:
    """Makes a repository in memory, and all that a runtime needs over it.

    Args:
        pace: How long a second of the played model and commands takes; 0 for no time at all.
        now: The clock.
    """
    repository = objects.Objects(script.ROOT, script.FILES, Identity("You", "you@example.invalid"), now())
    spools: dict[str, bytes] = {}
    door = git.Git(repository)
    known = models.Models(None, {}, now, (model.SETTINGS, lambda name, profile: model.make(name, profile, pace)))
    numbers = itertools.count(1)
    state = Path(script.STATE)
    return supervisor.Parts(
        store=log.Log(spools),
        state_folder=state,
        agent=functools.partial(wiring.agent, known=known),
        policies=policies.Policies(None, confinement.Trust(), now, door),
        now=now,
        new_id=lambda: f"{next(numbers):04x}",
        environment={"HOME": "/home/you", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        confiner=confining.Confiner(state, found=confinement.STANDING),
        models=known,
        doors=Doors(
            door,
            files.Disk(repository, spools),
            lambda _mark, _cage: processes.Processes(repository, spools, pace),
            Ports(),
            BANNER,
        ),
    )
