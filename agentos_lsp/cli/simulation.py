"""The parts of the demo's runtime: the same runtime as everywhere, over doors with nothing behind them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.agents import builtin, nobody
from agentos_lsp.effects.git.repository import Identity
from agentos_lsp.effects.simulated import confinement, files, git, log, model, objects, processes, script
from agentos_lsp.runtime import confining, models, policies, supervisor
from agentos_lsp.runtime.doors import Doors

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from agentos_lsp.effects.agents import Agent

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
        agent=lambda name, _script, wanted: _agent(name, wanted, known),
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


def _agent(name: str, model_name: str | None, known: models.Models) -> Agent:
    """Makes a session's agent: the real built-in one, over played models."""
    if name == nobody.NAME:
        return nobody.Nobody()
    if name != "builtin":
        raise UserError(f"The demo plays no {name} agent.", "Leave out `agent` and `script`: its model is played.")

    def choose(name: str | None) -> builtin.Asked:
        chosen = known.choose(name)
        return builtin.Asked(known.provider(chosen), chosen.label, chosen.model, chosen.profile.reply_limit, None)

    choose(model_name)
    return builtin.BuiltinAgent(choose, has_ripgrep=False)
