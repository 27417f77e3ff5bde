"""Tells live sessions of one repository, as they work, where merging both would conflict."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agentos_lsp.domain import forecast, tree_events
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agentos_lsp.domain import events, ids
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

LOG = logging.getLogger(__name__)

SHOWN = 100
"""How many places of one pair are told."""

_TOUCHING = frozenset(
    {
        "file.written",
        "command.finished",
        "commit.made",
        "checkpoint.restored",
        "turn.finished",
        "session.discarded",
        "merge.made",
    }
)
"""Events after which a session's files, or the sessions themselves, may be others than before."""


class Forecaster:
    """Looks at a session's changed paths when they may have changed, and at lines only where two sessions meet.

    Args:
        sessions: Those of the runtime, as they are now.
    """

    def __init__(self, sessions: Callable[[], Iterable[Session]]) -> None:
        self._sessions = sessions
        self._touched: set[ids.SessionId] = set()
        self._paths: dict[ids.SessionId, frozenset[str]] = {}
        self._wake = asyncio.Event()

    def heard(self, event: events.AnyEvent) -> None:
        """Takes note of an event of any session."""
        if event.type in _TOUCHING:
            self._touched.add(event.session)
            self._wake.set()

    async def run(self) -> None:
        """Looks whenever something may have changed, until it is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            touched, self._touched = self._touched, set()
            for name in touched:
                self._paths.pop(name, None)
            for one in [one for one in self._sessions() if one.id in touched]:
                try:
                    await self._look(one)
                except AgentosError as error:
                    LOG.warning("no forecast for %s: %s", one.id, error)

    async def _look(self, one: Session) -> None:
        here = one.workspace if one.state.is_live and one.state.worktree is not None else None
        for other in list(self._sessions()):
            if other is one or not other.state.is_live:
                continue
            there = other.workspace if other.state.worktree is not None else None
            if here is None or there is None:
                await _tell(one, other, (), ())
            elif here.checkout.common_dir == there.checkout.common_dir:
                shared = await self._changed(here) & await self._changed(there)
                places = await asyncio.to_thread(_compared, here, there, shared) if shared else ((), ())
                await _tell(one, other, *places)

    async def _changed(self, workspace: Workspace) -> frozenset[str]:
        known = self._paths.get(workspace.session)
        if known is None:
            found = await asyncio.to_thread(workspace.git.changed_paths, workspace.worktree, workspace.base_commit)
            known = self._paths[workspace.session] = frozenset(found)
        return known


def _compared(
    here: Workspace, there: Workspace, shared: frozenset[str]
) -> tuple[tuple[forecast.Place, ...], tuple[forecast.Place, ...]]:
    """Compares the files that both sessions changed with the last commit that both began from."""
    base = here.git.common_ancestor(here.checkout, here.base_commit, there.base_commit)
    if base is None:
        return (), ()
    sides = [
        [
            change
            for change in workspace.git.changes(workspace.worktree, base)
            if change.path in shared or change.old_path in shared
        ]
        for workspace in (here, there)
    ]
    return forecast.clashes(*sides)


async def _tell(
    one: Session, other: Session, here: tuple[forecast.Place, ...], there: tuple[forecast.Place, ...]
) -> None:
    """Records on both sides what they were not told yet."""
    for session, about, places in ((one, other, here), (other, one, there)):
        records = tuple(
            tree_events.ForecastPlace(path=place.path, line=place.line, lines=place.lines) for place in places[:SHOWN]
        )
        if session.state.is_live and session.state.forecasts.get(about.id, ()) != records:
            await session.record(tree_events.ConflictForecast, other=about.id, places=records)
