"""Who is told of events and of progress; one listener's failure reaches nobody else."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain import events, ids
    from agentos_lsp.domain.state import SessionState

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far long work has come; `done` of `total` steps, `total` 0 while unknown."""

    session: ids.SessionId
    kind: Literal["worktree", "merge"]
    done: int
    total: int
    message: str


class Telling:
    """Those who listen to all sessions of a runtime."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[events.AnyEvent, SessionState], None]] = []
        self._watchers: list[Callable[[Progress], None]] = []

    def subscribe(
        self,
        listener: Callable[[events.AnyEvent, SessionState], None],
        watcher: Callable[[Progress], None],
    ) -> Callable[[], None]:
        """Tells somebody of every event, and of progress, until the returned function is called.

        Listeners are called on the loop, at once and in order; they must not wait or raise.
        """
        self._listeners.append(listener)
        self._watchers.append(watcher)

        def unsubscribe() -> None:
            self._listeners.remove(listener)
            self._watchers.remove(watcher)

        return unsubscribe

    def publish(self, event: events.AnyEvent, now: SessionState) -> None:
        """Tells of an event that is in the log."""
        for listener in list(self._listeners):
            try:
                listener(event, now)
            except Exception:  # an editor's failure does not reach a session
                LOG.exception("a listener failed on event %s of %s", event.sequence, event.session)

    def reporter(
        self, session: ids.SessionId, kind: Literal["worktree", "merge"], message: str
    ) -> Callable[[int, int], None]:
        """Returns what tells of one piece of work, (steps done, steps in all), from any thread."""
        loop = asyncio.get_running_loop()

        def report(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self.report, Progress(session, kind, done, total, message))

        return report

    def report(self, progress: Progress) -> None:
        """Tells how far long work has come."""
        for watcher in list(self._watchers):
            try:
                watcher(progress)
            except Exception:  # an editor's failure does not reach a session
                LOG.exception("a watcher failed on the progress of %s", progress.session)
