"""Confines a session's commands: what the machine can hold is found out once, what a session gets is recorded."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import confinement
from agentos_lsp.effects.process.sandbox import backends, standing
from agentos_lsp.effects.process.sandbox.plan import Limits, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.domain import confined, policy
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

_MB = 1 << 20


class Confiner:
    """Knows what this machine can hold, found out by a canary at the first question.

    Args:
        folder: Where canaries may put files of their own; made if it is not there.
        candidates: The backends to try, the best first.
        found: What is known already, so that nothing is tried.
    """

    def __init__(
        self,
        folder: Path,
        candidates: Callable[[], Sequence[backends.Backend]] = backends.candidates,
        found: standing.Standing | None = None,
    ) -> None:
        self._folder = folder
        self._candidates = candidates
        self._lock = threading.Lock()
        self._found = found

    async def found(self) -> standing.Standing:
        """Returns what the machine can hold."""
        return await asyncio.to_thread(self.look)

    def look(self) -> standing.Standing:
        """Does the same, and waits for it."""
        with self._lock:
            if self._found is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._found = standing.look(self._folder, self._candidates())
            return self._found


async def confine(session: Session, workspace: Workspace, rules: policy.Policy, confiner: Confiner) -> None:
    """Confines what a session will start, as its policy asks and the machine can, and records it if it is news."""
    wanted = rules.confinement
    found = None if wanted.level == "off" else await confiner.found()
    chosen = standing.choose(wanted.level, found)
    folders = (Path(workspace.root), Path(workspace.scratch), Path(workspace.agents_git.folder))
    disk_bytes = None if wanted.disk_mb is None else wanted.disk_mb * _MB
    workspace.runner.confine(lambda: _cage(workspace, chosen, wanted), folders, disk_bytes)
    now = confinement.Standing(chosen.level, chosen.by, chosen.missing, chosen.refusal)
    if session.state.confinement != now:
        await session.record(
            confinement.ConfinementChosen, level=now.level, by=now.by, missing=now.missing, refusal=now.refusal
        )


def _cage(workspace: Workspace, chosen: standing.Chosen, wanted: confined.Confinement) -> backends.Cage | None:
    """Works out the cage of a session as the file system is now; where one can hide things, with a git of its own."""
    known, runner, checkout = workspace.worktree, workspace.runner, workspace.checkout
    hides = chosen.backend is not None and chosen.backend.hides and not chosen.refusal
    place = Place(
        worktree=known.folder,
        scratch=workspace.scratch,
        state_folder=str(workspace.state_folder),
        home=runner.home,
        repository=checkout.root,
        common_dir=checkout.common_dir,
        admin_dir=known.admin_dir,
        git_folder=workspace.agents_git.make() if hides else "",
        path=runner.path,
        granted=wanted.writable,
        hidden=wanted.hidden,
        limits=limits(wanted),
    )
    return chosen.cage(place)


def limits(wanted: confined.Confinement) -> Limits:
    """Returns the limits of a policy, the built-in ones where it names none."""
    usual = Limits()
    return Limits(
        processes=_or(wanted.processes, usual.processes),
        data_bytes=_or(wanted.memory_mb, usual.data_bytes, _MB),
        file_bytes=_or(wanted.file_mb, usual.file_bytes, _MB),
        files=_or(wanted.open_files, usual.files),
        cpu_s=_or(wanted.cpu_s, usual.cpu_s),
        tmp_bytes=_or(wanted.tmp_mb, usual.tmp_bytes, _MB),
    )


def _or(wanted: int | None, usual: int, unit: int = 1) -> int:
    return usual if wanted is None else wanted * unit
